"""A real primary and real replicas of it, as in a region that stands by."""

import asyncio
import io
import json
import os
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway.database import Database
from gateway.ledger.row import UsageRow
from gateway.ledger.write import write_rows
from gateway.migrations.__main__ import main
from gateway.migrations.settings import variable
from gateway.structured_log import StructuredLog
from local.drill.replica import follow
from local.throwaway_servers import DATABASE, DATABASE_OWNER, DATABASE_PASSWORD, Postgres, throwaway_postgres

LIMIT_SECONDS = 60
SERVING = "serving"
SERVING_PASSWORD = "password-of-serving-processes"
Environ = dict[str, str]
Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


class Lines(io.BytesIO):
    """What was logged."""

    @property
    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of one event."""
        return [line for line in self.all if line["event"] == name]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def log(lines: Lines) -> StructuredLog:
    return StructuredLog(lines, "info")


def environ_of(server: Postgres, name: str = DATABASE) -> Environ:
    """What the migration is told of a server."""
    fields = {
        "host": "127.0.0.1",
        "port": str(server.port),
        "name": name,
        "tls": "false",
        "username": DATABASE_OWNER,
        "password": DATABASE_PASSWORD,
        "serving_username": SERVING,
        "serving_password": SERVING_PASSWORD,
    }
    return {variable(field): value for field, value in fields.items()}


@pytest.fixture(scope="session")
def environ() -> Callable[..., Environ]:
    return environ_of


@pytest.fixture(scope="session")
def primary() -> Iterator[Postgres]:
    """A server with the schema. What a replica's reads are in the way of does not wait for them."""
    with throwaway_postgres() as server:
        assert main(environ_of(server), io.BytesIO()) == 0
        asyncio.run(run_in(server, "ALTER SYSTEM SET max_standby_streaming_delay = 0"))
        yield server


@contextmanager
def _replica_of(primary: Postgres) -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory() as name:
        # The user whom the server runs as goes through it.
        Path(name).chmod(0o711)
        server = follow(primary.port, Path(name) / "replica")
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def replica(primary: Postgres) -> Iterator[Postgres]:
    """A replica of it that stays one."""
    with _replica_of(primary) as server:
        yield server


@pytest.fixture
def standby(primary: Postgres) -> Iterator[Postgres]:
    """A replica of it that the test may promote."""
    with _replica_of(primary) as server:
        yield server


async def run_in(server: Postgres, *statements: str) -> Any:
    """Run statements as the owner; returns the last one's value."""
    connection = await asyncpg.connect(server.dsn)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def sql() -> Callable[..., Awaitable[Any]]:
    return run_in


@pytest.fixture
def catch_up(primary: Postgres) -> Callable[[Postgres], Awaitable[None]]:
    """Waits until a replica has all that the primary has now."""

    async def wait(replica: Postgres) -> None:
        # Also what it has not yet written to its disk.
        position = await run_in(primary, "SELECT pg_current_wal_insert_lsn()::text")
        replayed = f"SELECT pg_last_wal_replay_lsn() >= '{position}'::pg_lsn"
        await _until(lambda: run_in(replica, replayed))

    return wait


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while not await condition():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.02)


@pytest.fixture(scope="session")
def until() -> Until:
    return _until


@pytest.fixture
async def make_database(make_settings: Any) -> AsyncIterator[Callable[[Postgres], Database]]:
    """Makes a serving process's way to a server."""
    made: list[Database] = []

    def make(server: Postgres) -> Database:
        settings = make_settings(
            database_host="127.0.0.1",
            database_port=server.port,
            database_tls=False,
            database_name=DATABASE,
            database_username=SERVING,
            database_password=SERVING_PASSWORD,
        )
        made.append(Database(settings))
        return made[-1]

    yield make
    for database in made:
        await database.close()


def make_usage_row(**fields: Any) -> UsageRow:
    usual: dict[str, Any] = dict.fromkeys(UsageRow.__struct_fields__)
    usual |= dict.fromkeys(
        ("request_id", "caller_id", "caller_name", "caller_kind", "operation", "model"), "x"
    )
    usual |= {name: 7 for name in usual if name.endswith("_tokens")}
    usual |= {"status": 200, "streamed": False, "cached": False, "attempts": 1, "usage_estimated": False}
    return UsageRow(**(usual | {"id": str(uuid.uuid4()), "admitted_at": time.time()} | fields))


@pytest.fixture(scope="session")
def make_row() -> Callable[..., UsageRow]:
    """Makes rows; fields that are named replace the usual ones."""
    return make_usage_row


@pytest.fixture(scope="session")
def write() -> Callable[..., Awaitable[None]]:
    """Writes rows into a server's ledger, as the gateways of its region do."""

    async def write(server: Postgres, *rows: UsageRow) -> None:
        from gateway.ledger.encoding import encode

        connection = await asyncpg.connect(server.dsn)
        assert await write_rows(connection, [encode(row) for row in rows]) == len(rows)
        await connection.close()

    return write


@pytest.fixture
def make_empty(primary: Postgres, catch_up: Any) -> Callable[[Postgres], Awaitable[str]]:
    """Makes a database of the primary without a schema, waits for it at a replica and returns its name."""

    async def make(replica: Postgres) -> str:
        name = f"test_{os.urandom(8).hex()}"
        await run_in(primary, f"CREATE DATABASE {name}", "SELECT 1")
        await catch_up(replica)
        return name

    return make


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.migrations.replica._PAUSE_SECONDS", 0.05)
