"""`python -m gateway.migrations` at a replica: the primary's schema comes by itself, and is waited for."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from gateway.database.schema import NEEDED_REVISION
from gateway.migrations.__main__ import main
from gateway.migrations.upgrade import upgrade
from local.throwaway_servers import DATABASE_OWNER, DATABASE_PASSWORD, Postgres

pytestmark = pytest.mark.anyio

LIMIT_SECONDS = 60
Environ = dict[str, str]


@pytest.fixture
async def empty(replica: Postgres, make_empty: Any) -> str:
    name: str = await make_empty(replica)
    return name


async def run(environ: Environ) -> tuple[int, list[dict[str, Any]]]:
    output = io.BytesIO()
    async with asyncio.timeout(LIMIT_SECONDS):
        code = await asyncio.to_thread(main, environ, output)
    return code, [json.loads(line) for line in output.getvalue().splitlines()]


def connector(server: Postgres, name: str) -> Callable[[], Awaitable[asyncpg.Connection]]:
    place = f"127.0.0.1:{server.port}/{name}"
    dsn = f"postgresql://{DATABASE_OWNER}:{DATABASE_PASSWORD}@{place}?sslmode=disable"
    return lambda: asyncpg.connect(dsn)


async def test_the_primarys_schema_is_there(
    primary: Postgres, replica: Postgres, environ: Callable[..., Environ], sql: Any
) -> None:
    user = "SELECT xmin::text FROM pg_authid WHERE rolname = 'serving'"
    before = await sql(primary, user)
    code, lines = await run(environ(replica))
    assert (code, len(lines)) == (0, 1)
    assert (lines[0]["event"], lines[0]["revision"]) == ("schema_is_the_primarys", NEEDED_REVISION)
    assert await sql(replica, user) == before
    assert "ERROR" not in (replica.folder / "postgres.log").read_text()


async def test_the_primarys_schema_comes(
    primary: Postgres, replica: Postgres, environ: Callable[..., Environ], empty: str
) -> None:
    """As a release that is deployed in both regions at once; also from an older schema."""
    output = io.BytesIO()
    running = asyncio.create_task(asyncio.to_thread(main, environ(replica, empty), output))
    async with asyncio.timeout(LIMIT_SECONDS):
        for revision in ("0001", "head"):
            while not output.getvalue().endswith(b"}\n"):  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0.01)
            await upgrade(connector(primary, empty), revision)
        assert await running == 0
    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    assert {line["event"] for line in lines[:-1]} == {"waiting_for_primary"}
    assert (lines[0]["schema"], lines[0]["needed"]) == ("is of revision none", NEEDED_REVISION)
    assert lines[-1]["event"] == "schema_is_the_primarys"


async def test_a_schema_that_stays_behind(
    replica: Postgres, environ: Callable[..., Environ], empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.migrations.replica.WAIT_SECONDS", 0.1)
    code, lines = await run(environ(replica, empty))
    assert (code, lines[-1]["event"]) == (1, "migration_failed")
    assert lines[-1]["reason"] == (
        "the database is a replica whose schema is of revision none, and this release needs "
        f"{NEEDED_REVISION}: deploy it in the primary's region first"
    )
