"""A gateway beside a replica that takes the primary's place: nothing has to be started again."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.database import Database
from gateway.database.errors import DatabaseUnavailableError, ReadOnlyError
from gateway.database.schema import NEEDED_REVISION
from gateway.ledger import Ledger
from gateway.migrations.__main__ import main
from gateway.reachability import Reachability
from gateway.structured_log import StructuredLog
from local.drill.replica import promote
from local.throwaway_servers import DATABASE, Postgres

pytestmark = pytest.mark.anyio

LIMIT_SECONDS = 60
MakeDatabase = Callable[[Postgres], Database]
Sql = Callable[..., Awaitable[Any]]
_OF_PROJECT = "WHERE project_id = 'proj_promoted'"
# The gateway's connections.
_BACKENDS = "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE application_name = 'gatehouse'"


async def test_rows_wait_and_are_written_once(
    standby: Postgres,
    make_database: MakeDatabase,
    log: StructuredLog,
    lines: Any,
    make_row: Any,
    sql: Sql,
    until: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("_LONGEST_PAUSE_SECONDS", "_FIRST_PAUSE_SECONDS", "_INTERVAL_SECONDS"):
        monkeypatch.setattr(f"gateway.ledger.{name}", 0.02)
    monkeypatch.setattr("gateway.ledger.partitions._RETRY_SECONDS", 0.02)
    database = make_database(standby)
    ledger = Ledger(database, log, retention_months=13)
    rows = [make_row(project_id="proj_promoted") for _ in range(30)]
    for row in rows:
        ledger.record(row)
    attempts = 0
    writing = database.writing

    def count() -> Any:
        nonlocal attempts
        attempts += 1
        return writing()

    monkeypatch.setattr(database, "writing", count)
    task = asyncio.create_task(ledger.keep_writing())

    async def tried_often() -> bool:
        return attempts >= 20

    async def written() -> bool:
        return ledger.spooled_rows == 0

    await until(tried_often)
    backends = set(await sql(standby, _BACKENDS))
    attempts = 0
    await until(tried_often)
    assert (ledger.is_writable, ledger.spooled_rows, ledger.spilled_rows) == (False, 30, 0)
    # Neither log fills, for months, and no connection is given up.
    (told,) = lines.all
    assert (told["event"], told["reason"]) == ("ledger_not_writable", "the database is a replica")
    assert "ERROR" not in (standby.folder / "postgres.log").read_text()
    assert backends <= set(await sql(standby, _BACKENDS))

    await promote(standby)
    await until(written)
    await until(lambda: sql(standby, "SELECT kept_since > '0001-01-02' FROM usage_retention"))
    assert backends <= set(await sql(standby, _BACKENDS))
    assert ledger.is_writable
    there = await sql(standby, f"SELECT array_agg(id::text) FROM usage {_OF_PROJECT}")
    assert sorted(there) == sorted(row.id for row in rows)
    assert await sql(standby, f"SELECT sum(requests)::int FROM usage_hourly {_OF_PROJECT}") == 30
    assert len(lines.events("ledger_writable")) == 1
    task.cancel()
    await asyncio.wait([task])


async def test_what_is_told_of_the_database(
    standby: Postgres,
    make_database: MakeDatabase,
    log: StructuredLog,
    lines: Any,
    until: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RDS promotes with a restart: the connections of before lead nowhere."""
    monkeypatch.setattr("gateway.reachability._INTERVAL_SECONDS", 0.02)
    database = make_database(standby)

    async def no_cache() -> None:
        """It is reachable."""

    reachability = Reachability(no_cache, database.ping, log)
    task = asyncio.create_task(reachability.watch())

    def is_told(state: str) -> Callable[[], Awaitable[bool]]:
        async def told() -> bool:
            return reachability.states["database"] == state

        return told

    await until(is_told("read_only"))
    await promote(standby)
    await until(is_told("reachable"))
    await asyncio.to_thread(standby.stop)
    await until(is_told("unreachable"))
    with pytest.raises(DatabaseUnavailableError) as raised:
        async with database.writing():
            raise AssertionError
    assert not isinstance(raised.value, ReadOnlyError)
    await asyncio.to_thread(standby.start)
    await until(is_told("reachable"))
    task.cancel()
    await asyncio.wait([task])
    told = [(line["level"], line["state"]) for line in lines.all if line["service"] == "database"]
    assert told == [
        ("info", "read_only"),
        ("info", "reachable"),
        ("warning", "unreachable"),
        ("info", "reachable"),
    ]


async def test_a_migration_that_waits_for_the_primary_is_done_by_itself(
    primary: Postgres, standby: Postgres, environ: Any, make_empty: Any
) -> None:
    name = await make_empty(standby)
    output = io.BytesIO()
    running = asyncio.create_task(asyncio.to_thread(main, environ(standby, name), output))
    async with asyncio.timeout(LIMIT_SECONDS):
        while b"waiting_for_primary" not in output.getvalue():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.01)
        await promote(standby)
        assert await running == 0
    last = json.loads(output.getvalue().splitlines()[-1])
    assert (last["event"], last["after"]) == ("migration_finished", NEEDED_REVISION)
    # And as usual from then on.
    again = io.BytesIO()
    assert await asyncio.to_thread(main, environ(standby, DATABASE), again) == 0
    assert [json.loads(line)["event"] for line in again.getvalue().splitlines()] == [
        "migration_started",
        "serving_user",
        "migration_finished",
    ]
