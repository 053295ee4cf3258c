"""A real database with the directory's tables, and directories that follow it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from gateway.database import Database
from gateway.directory import Directory
from gateway.migrations.upgrade import upgrade
from gateway.settings import Settings
from gateway.structured_log import StructuredLog
from local.throwaway_servers import Postgres, throwaway_postgres

_TABLES = "api_key_secrets, api_keys, roles, projects"


class _Lines(list[dict[str, Any]]):
    def write(self, line: bytes, /) -> None:
        self.append(json.loads(line))


@pytest.fixture
def lines() -> list[dict[str, Any]]:
    """What was logged."""
    return _Lines()


@pytest.fixture
def log(lines: _Lines) -> StructuredLog:
    return StructuredLog(lines, "debug")


@pytest.fixture(scope="session")
def migrated() -> Iterator[Postgres]:
    with throwaway_postgres() as server:
        asyncio.run(upgrade(lambda: asyncpg.connect(server.dsn)))
        yield server


@pytest.fixture
async def postgres(migrated: Postgres) -> Postgres:
    """A running server whose tables are empty."""
    if migrated.process is None or migrated.process.poll() is not None:
        migrated.start()
    connection = await asyncpg.connect(migrated.dsn)
    await connection.execute(f"TRUNCATE {_TABLES}")
    await connection.close()
    return migrated


class Changes:
    """Changes the directory as the admin API does: in transactions, each with a number of its own."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def insert(self, table: str, **values: Any) -> None:
        async with self.connection.transaction():
            values["version"] = await self._next_version()
            places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
            await self.connection.execute(
                f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", *values.values()
            )

    async def update(self, table: str, where: str, **values: Any) -> None:
        async with self.connection.transaction():
            values["version"] = await self._next_version()
            settings = ", ".join(f"{name} = ${number}" for number, name in enumerate(values, start=1))
            await self.connection.execute(f"UPDATE {table} SET {settings} WHERE {where}", *values.values())

    async def key(self, key_id: str, *secrets: bytes, project_id: str = "proj_1", **values: Any) -> None:
        await self.insert(
            "api_keys", id=key_id, project_id=project_id, name=key_id, created_by="suite", **values
        )
        for digest in secrets:
            await self.secret(digest, key_id)

    async def secret(self, digest: bytes, key_id: str, **values: Any) -> None:
        await self.insert("api_key_secrets", digest=digest, key_id=key_id, prefix="gh_", **values)

    async def _next_version(self) -> int:
        version: int = await self.connection.fetchval(
            "UPDATE directory_version SET version = version + 1 RETURNING version"
        )
        return version


@pytest.fixture
async def changes(postgres: Postgres) -> AsyncIterator[Changes]:
    connection = await asyncpg.connect(postgres.dsn)
    changes = Changes(connection)
    await changes.insert("projects", id="proj_1", name="search")
    yield changes
    connection.terminate()


@pytest.fixture
async def database(postgres: Postgres, make_settings: Callable[..., Settings]) -> AsyncIterator[Database]:
    place = urlsplit(postgres.dsn)
    database = Database(
        make_settings(
            database_host=place.hostname,
            database_port=place.port,
            database_name=place.path[1:],
            database_username=place.username,
            database_password=place.password,
            database_tls=False,
        )
    )
    yield database
    await database.close()


@pytest.fixture
async def directory(
    database: Database, log: StructuredLog, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Directory]:
    """A directory that is kept current, ten times faster than in production."""
    monkeypatch.setattr("gateway.directory.POLL_SECONDS", 0.1)
    directory = Directory(database, log, known_seconds=3600)
    task = asyncio.create_task(directory.keep_current())
    yield directory
    task.cancel()
    await asyncio.wait([task])
