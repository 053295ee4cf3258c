"""A gateway beside a replica: what is refused costs nothing, what the replica cancels is read again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from gateway.database import Database
from gateway.database.errors import DatabaseError, ReadOnlyError, StatementRefusedError
from gateway.database.replica import read
from local.throwaway_servers import Postgres

pytestmark = pytest.mark.anyio

_CHANGE = "UPDATE directory_version SET version = version + 1"
_SLOW = "SELECT version FROM directory_version, pg_sleep(600)"
_VERSION = "SELECT version FROM directory_version"


async def backend(database: Database) -> int:
    """Which of the server's processes a connection leads to."""
    async with database.connection() as connection:
        number: int = await connection.fetchval("SELECT pg_backend_pid()")
        return number


@pytest.fixture
def be_in_the_way(
    primary: Postgres, replica: Postgres, sql: Callable[..., Awaitable[Any]], until: Any
) -> Callable[[asyncpg.Connection], Awaitable[int]]:
    """Reads what the primary changes meanwhile, and cleans up."""

    async def read_slowly(connection: asyncpg.Connection) -> int:
        reading = asyncio.create_task(connection.fetchval(_SLOW, timeout=60))
        is_reading = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"

        async def begun() -> bool:
            # What came before may have cancelled it already.
            return reading.done() or await sql(replica, is_reading)

        async def cancelled() -> bool:
            # A page that something else looks at is cleaned up the next time.
            await sql(primary, _CHANGE, "VACUUM directory_version", "SELECT 1")
            return reading.done()

        await until(begun)
        await until(cancelled)
        version: int = await reading
        return version

    return read_slowly


async def test_a_cancelled_read_begins_anew(
    replica: Postgres,
    make_database: Callable[[Postgres], Database],
    be_in_the_way: Callable[[asyncpg.Connection], Awaitable[int]],
) -> None:
    attempts: list[int] = []

    async def work(connection: asyncpg.Connection) -> int:
        attempts.append(await connection.fetchval("SELECT pg_backend_pid()"))
        if len(attempts) == 1:
            return await be_in_the_way(connection)
        version: int = await connection.fetchval(_VERSION)
        return version

    assert await read(make_database(replica), work) > 0
    # At the same connection: nothing is wrong with it.
    assert len(attempts) > 1
    assert len(set(attempts)) == 1


async def test_a_read_that_is_always_cancelled_ends(
    replica: Postgres,
    make_database: Callable[[Postgres], Database],
    be_in_the_way: Callable[[asyncpg.Connection], Awaitable[int]],
) -> None:
    with pytest.raises(DatabaseError) as raised:
        await read(make_database(replica), be_in_the_way)
    assert raised.value.sqlstate == "40001"


async def test_another_error_is_not_tried_again(
    replica: Postgres, make_database: Callable[[Postgres], Database]
) -> None:
    attempts = 0

    async def work(connection: asyncpg.Connection) -> None:
        nonlocal attempts
        attempts += 1
        await connection.execute("SELECT 1 / 0")

    with pytest.raises(StatementRefusedError):
        await read(make_database(replica), work)
    assert attempts == 1


async def test_a_write_that_a_replica_refuses_costs_no_connection(
    replica: Postgres, make_database: Callable[[Postgres], Database]
) -> None:
    """It goes on being read from."""
    database = make_database(replica)
    before = await backend(database)
    with pytest.raises(ReadOnlyError) as raised:
        async with database.connection() as connection, connection.transaction():
            await connection.execute(_CHANGE)
    assert raised.value.sqlstate == "25006"
    with pytest.raises(ReadOnlyError):
        async with database.writing():
            raise AssertionError
    assert await backend(database) == before


async def test_a_primary_is_not_asked_whether_it_is_one(
    primary: Postgres, make_database: Callable[[Postgres], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = make_database(primary)
    await backend(database)
    asked: list[str] = []
    monkeypatch.setattr(asyncpg.Connection, "execute", lambda _self, query: asked.append(query))
    async with database.writing():
        assert asked == []
