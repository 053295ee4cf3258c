"""Connections are shared, bounded, and dropped when something is wrong with them."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import psutil
import pytest

from gateway.database import Database
from gateway.database.errors import DatabaseUnavailableError, StatementRefusedError
from gateway.database.pool import MOST_CONNECTIONS
from gateway.reachability import UnreachableError
from local.throwaway_servers import DATABASE_PASSWORD, Postgres, free_port

pytestmark = pytest.mark.anyio

MakeDatabase = Callable[..., Database]
LIMIT_SECONDS = 60


async def backend(database: Database) -> int:
    """Which of the server's processes a new turn gets."""
    async with database.connection() as connection:
        number: int = await connection.fetchval("SELECT pg_backend_pid()")
        return number


async def test_a_connection_is_used_again(make_database: MakeDatabase) -> None:
    database = make_database()
    assert await backend(database) == await backend(database)


async def test_there_are_few_connections(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.database.pool._TURN_SECONDS", 0.1)
    database = make_database()
    all_taken, done = asyncio.Barrier(MOST_CONNECTIONS + 1), asyncio.Event()

    async def take() -> int:
        async with database.connection() as connection:
            await all_taken.wait()
            await done.wait()
            number: int = await connection.fetchval("SELECT pg_backend_pid()")
            return number

    async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as tasks:
        taken = [tasks.create_task(take()) for _ in range(MOST_CONNECTIONS)]
        await all_taken.wait()
        with pytest.raises(DatabaseUnavailableError, match="every connection is in use"):
            await backend(database)
        done.set()
    assert len({task.result() for task in taken}) == MOST_CONNECTIONS
    assert await backend(database) in {task.result() for task in taken}


async def test_a_refused_statement_says_why_without_its_values(make_database: MakeDatabase) -> None:
    database = make_database()
    before = await backend(database)
    for statement in ("SELECT 'secret-value'::integer", "SELECT secret_value", "SELECT 1 / 0"):
        with pytest.raises(StatementRefusedError) as raised:
            async with database.connection() as connection:
                await connection.execute(statement)
        assert "secret" not in str(raised.value)
        assert raised.value.sqlstate in {"22P02", "42703", "22012"}
    with pytest.raises(StatementRefusedError, match=r"DataError \(22000\)"):
        async with database.connection() as connection:
            await connection.fetchval("SELECT $1::integer", "no number")
    assert await backend(database) == before


async def test_what_a_part_raises_itself_passes_through(make_database: MakeDatabase) -> None:
    database = make_database()
    before = await backend(database)
    with pytest.raises(KeyError):
        async with database.connection() as connection, connection.transaction():
            raise KeyError
    with pytest.raises(ValueError, match="mine"):
        async with database.connection():
            raise ValueError("mine")
    assert await backend(database) == before


async def test_an_error_that_is_caught_inside_is_asyncpgs(make_database: MakeDatabase) -> None:
    async with make_database().connection() as connection:
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("INSERT INTO directory_version DEFAULT VALUES")


async def test_an_open_transaction_is_not_handed_on(make_database: MakeDatabase) -> None:
    database = make_database()
    async with database.connection() as connection:
        await connection.execute("BEGIN")
        before = await connection.fetchval("SELECT pg_backend_pid()")
    assert await backend(database) != before


async def test_a_cancelled_statement_takes_its_connection_with_it(
    make_database: MakeDatabase, owner: asyncpg.Connection
) -> None:
    database = make_database()
    before = await backend(database)

    async def sleep() -> None:
        async with database.connection() as connection:
            await connection.execute("SELECT pg_sleep(60)", timeout=LIMIT_SECONDS)

    sleeping = asyncio.create_task(sleep())
    async with asyncio.timeout(LIMIT_SECONDS):
        while not await owner.fetchval(  # noqa: ASYNC110
            "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'", before
        ):
            await asyncio.sleep(0.01)
        sleeping.cancel()
        await asyncio.wait([sleeping])
        assert await backend(database) != before


async def test_after_a_failover_no_connection_is_used_again(
    make_database: MakeDatabase, owner: asyncpg.Connection
) -> None:
    """One statement finds out; connections that nobody used at the time are gone as well."""
    database = make_database()
    async with database.connection(), database.connection(), database.connection():
        pass
    ended = await owner.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE application_name = 'gatehouse' AND pid <> pg_backend_pid()"
    )
    assert ended >= 3
    for _ in range(LIMIT_SECONDS):
        try:
            await backend(database)
        except DatabaseUnavailableError:
            continue
        break
    assert await backend(database) == await backend(database)


async def test_a_server_that_became_read_only_is_left(
    make_database: MakeDatabase, owner: asyncpg.Connection
) -> None:
    """As the former primary after a failover: its name soon leads elsewhere."""
    database = make_database()
    before = await backend(database)
    async with database.connection() as connection:
        await connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    with pytest.raises(DatabaseUnavailableError) as raised:
        async with database.connection() as connection:
            await connection.execute("UPDATE directory_version SET version = version")
    assert raised.value.sqlstate == "25006"
    assert await backend(database) != before


async def test_a_statement_that_hangs_is_given_up(make_database: MakeDatabase) -> None:
    """And with its connection those that nobody used, which lead to the same server."""
    database = make_database()
    async with database.connection() as first, database.connection() as second:
        before = [await each.fetchval("SELECT pg_backend_pid()") for each in (first, second)]
    process = psutil.Process(await backend(database))
    process.suspend()
    try:
        with pytest.raises(DatabaseUnavailableError, match="TimeoutError"):
            async with asyncio.timeout(LIMIT_SECONDS), database.connection() as connection:
                await connection.fetchval("SELECT 1", timeout=0.2)
        async with asyncio.timeout(LIMIT_SECONDS):
            assert await backend(database) not in before
    finally:
        process.resume()


async def test_it_starts_without_the_database_and_finds_it(
    make_database: MakeDatabase, server: Postgres
) -> None:
    port = free_port()
    database = make_database(database_port=port)
    with pytest.raises(DatabaseUnavailableError, match="ConnectionRefusedError"):
        await backend(database)
    with pytest.raises(UnreachableError):
        await database.ping()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    async with await asyncio.start_server(pass_on, "127.0.0.1", port):
        await database.ping()
        assert await backend(database)
        await database.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


async def test_a_wrong_password_is_told_without_it(make_database: MakeDatabase) -> None:
    database = make_database(database_password="wrong-password")
    with pytest.raises(DatabaseUnavailableError) as raised:
        await backend(database)
    assert str(raised.value) == "InvalidPasswordError (28P01)"


async def test_a_schema_that_is_too_old(
    make_database: MakeDatabase, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts that need the database say so until it was migrated; the check of reachability does not."""
    database = make_database()
    monkeypatch.setattr("gateway.database.schema.NEEDED_REVISION", "9999")
    with pytest.raises(DatabaseUnavailableError, match="needs 9999; run python"):
        await backend(database)
    await database.ping()
    monkeypatch.undo()
    assert await backend(database)
    without = make_database(database_name="postgres")
    with pytest.raises(DatabaseUnavailableError, match="revision is none"):
        await backend(without)


async def test_no_password_in_what_it_shows(make_database: MakeDatabase) -> None:
    database: Any = make_database()
    assert DATABASE_PASSWORD not in repr(database) + repr(vars(database))
