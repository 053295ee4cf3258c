"""A real database with the schema, and a serving process's way to it."""

import asyncio
import io
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import asyncpg
import pytest

from gateway.database import Database
from gateway.ledger.row import UsageRow
from gateway.migrations.command import migrate
from gateway.migrations.settings import MigrationSettings
from gateway.structured_log import StructuredLog
from local.throwaway_servers import DATABASE, DATABASE_OWNER, DATABASE_PASSWORD, Postgres, throwaway_postgres

SERVING = "serving"
SERVING_PASSWORD = "password-of-serving-processes"


class Lines(io.BytesIO):
    """What was logged."""

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of one event."""
        return [line for line in map(json.loads, self.getvalue().splitlines()) if line["event"] == name]


async def prepare(server: Postgres) -> None:
    """Give a server the schema and the serving user."""
    settings = MigrationSettings.model_validate(
        {
            "host": "127.0.0.1",
            "port": server.port,
            "name": DATABASE,
            "tls": False,
            "username": DATABASE_OWNER,
            "password": DATABASE_PASSWORD,
            "serving_username": SERVING,
            "serving_password": SERVING_PASSWORD,
        }
    )
    await migrate(settings, StructuredLog(io.BytesIO(), "info"))


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Postgres]:
    """A server whose database is a template: it is copied, never written to."""
    with throwaway_postgres() as server:
        asyncio.run(prepare(server))
        yield server


@pytest.fixture
async def own_server() -> AsyncIterator[Postgres]:
    """A server that the test may stop."""
    with throwaway_postgres() as server:
        await prepare(server)
        yield server


def owners_dsn(server: Postgres, name: str) -> str:
    """Where the owner finds a database of a server."""
    place = f"127.0.0.1:{server.port}/{name}"
    return f"postgresql://{DATABASE_OWNER}:{DATABASE_PASSWORD}@{place}?sslmode=disable"


@pytest.fixture
async def name(shared_server: Postgres) -> str:
    """A new database of the shared server."""
    name = f"test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(owners_dsn(shared_server, "postgres"))
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {DATABASE}")
    await connection.close()
    return name


@pytest.fixture
def connect(shared_server: Postgres, name: str) -> Callable[[], Awaitable[asyncpg.Connection]]:
    """Connects the owner to it."""

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(owners_dsn(shared_server, name), server_settings={"timezone": "UTC"})

    return connect


@pytest.fixture
async def owner(connect: Callable[[], Awaitable[asyncpg.Connection]]) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection to it."""
    connection = await connect()
    yield connection
    await connection.close()


@pytest.fixture
async def make_database(make_settings: Any) -> AsyncIterator[Callable[..., Database]]:
    """Makes a serving process's way to a database of a server."""
    made: list[Database] = []

    def make(port: int, name: str = DATABASE) -> Database:
        settings = make_settings(
            key_hashing_secret="secret-of-the-test-suite-0123456789",
            database_host="127.0.0.1",
            database_port=port,
            database_tls=False,
            database_name=name,
            database_username=SERVING,
            database_password=SERVING_PASSWORD,
        )
        made.append(Database(settings))
        return made[-1]

    yield make
    for database in made:
        await database.close()


@pytest.fixture
def database(make_database: Callable[..., Database], shared_server: Postgres, name: str) -> Database:
    """A serving process's way to the test's database."""
    return make_database(shared_server.port, name)


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def log(lines: Lines) -> StructuredLog:
    return StructuredLog(lines, "info")


@pytest.fixture(scope="session")
def make_row() -> Callable[..., UsageRow]:
    """Makes rows; fields that are named replace the usual ones."""

    def make(**fields: Any) -> UsageRow:
        usual: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "admitted_at": time.time(),
            "request_id": "req_1",
            "trace_id": None,
            "caller_id": "key_1",
            "caller_name": "ci",
            "caller_kind": "key",
            "project_id": "proj_1",
            "operation": "chat_completions",
            "model": "claude",
            "model_served": "claude",
            "deployment": "claude-us",
            "provider": "bedrock",
            "account": None,
            "region": "us-east-1",
            "status": 200,
            "error_code": None,
            "streamed": False,
            "cached": False,
            "attempts": 1,
            "input_tokens": 10,
            "output_tokens": 5,
            "cache_read_tokens": 3,
            "cache_write_tokens": 2,
            "reasoning_tokens": 1,
            "usage_estimated": False,
            "cost_nano_usd": 1000,
            "latency_ms": 20.0,
            "time_to_first_token_ms": None,
        }
        return UsageRow(**(usual | fields))

    return make


@pytest.fixture(scope="session")
def assert_sums_are_those_of_the_rows() -> Callable[..., Any]:
    """Checks that hours and months say what the rows say."""

    async def check(connection: asyncpg.Connection) -> None:
        parts = ("{0}", "input_tokens", "output_tokens", "cache_read_tokens", "cost_nano_usd")
        sums = ", ".join(f"coalesce(sum({part}), 0)::text" for part in parts)
        async with connection.transaction(isolation="repeatable_read"):
            rows = tuple(await connection.fetchrow(f"SELECT {sums.format('1')} FROM usage"))
            for table in ("usage_hourly", "usage_monthly"):
                assert (
                    tuple(await connection.fetchrow(f"SELECT {sums.format('requests')} FROM {table}")) == rows
                )

    return check
