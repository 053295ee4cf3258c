"""A real database with the schema."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import pytest

from gateway.database import Database
from gateway.migrations.upgrade import upgrade
from local.throwaway_servers import DATABASE, DATABASE_OWNER, DATABASE_PASSWORD, Postgres, throwaway_postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """It has the schema."""
    with throwaway_postgres() as server:
        asyncio.run(upgrade(lambda: asyncpg.connect(server.dsn)))
        yield server


@pytest.fixture
async def owner(server: Postgres) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside those of the gateway."""
    connection = await asyncpg.connect(server.dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def make_database(server: Postgres, make_settings: Any) -> AsyncIterator[Callable[..., Database]]:
    """Makes the gateway's way to a database; settings that are named replace those of the server."""
    made: list[Database] = []
    usual: dict[str, Any] = {
        "key_hashing_secret": "secret-of-the-test-suite-0123456789",
        "database_host": "127.0.0.1",
        "database_port": server.port,
        "database_tls": False,
        "database_name": DATABASE,
        "database_username": DATABASE_OWNER,
        "database_password": DATABASE_PASSWORD,
    }

    def make(**settings: Any) -> Database:
        made.append(Database(make_settings(**(usual | settings))))
        return made[-1]

    yield make
    for database in made:
        await database.close()
