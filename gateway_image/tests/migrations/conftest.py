"""A real database server; each test gets an empty database of it and a serving user of its own."""

import asyncio
import io
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any

import asyncpg
import pytest

from gateway.migrations.__main__ import main
from gateway.migrations.settings import variable
from local.throwaway_servers import DATABASE_OWNER, DATABASE_PASSWORD, Postgres, throwaway_postgres

LIMIT_SECONDS = 60
Environ = dict[str, str]


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    with throwaway_postgres() as server:
        yield server


@pytest.fixture
def environ(server: Postgres) -> Environ:
    """The command's environment."""
    name = f"test_{os.urandom(8).hex()}"
    asyncio.run(_create(server, name))
    fields = {
        "host": "127.0.0.1",
        "port": str(server.port),
        "name": name,
        "tls": "false",
        "username": DATABASE_OWNER,
        "password": DATABASE_PASSWORD,
        "serving_username": f"Serving \"{name}'s",
        "serving_password": "password-of-serving-processes-'%I%s",
    }
    return {variable(field): value for field, value in fields.items()}


async def _create(server: Postgres, name: str) -> None:
    connection = await asyncpg.connect(server.dsn)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()


@pytest.fixture
def sign_in(environ: Environ) -> Callable[..., Awaitable[asyncpg.Connection]]:
    """Signs in as the serving user of an environment, the test's usual one unless it is given another."""

    async def sign_in(other: Environ | None = None) -> asyncpg.Connection:
        given = other or environ
        return await _connect(
            given, given[variable("serving_username")], given.get(variable("serving_password"))
        )

    return sign_in


@pytest.fixture
def sign_in_as_owner(environ: Environ) -> Callable[[], Awaitable[asyncpg.Connection]]:
    return lambda: _connect(environ, DATABASE_OWNER, DATABASE_PASSWORD)


async def _connect(environ: Environ, username: str, password: str | None) -> asyncpg.Connection:
    return await asyncpg.connect(
        host="127.0.0.1",
        port=int(environ[variable("port")]),
        database=environ[variable("name")],
        user=username,
        password=password,
        ssl=False,
    )


@pytest.fixture
async def owner(
    sign_in_as_owner: Callable[[], Awaitable[asyncpg.Connection]],
) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection to the database."""
    connection = await sign_in_as_owner()
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def run() -> Callable[[Environ], Coroutine[Any, Any, tuple[int, list[dict[str, Any]]]]]:
    """Runs the command in this process; returns its exit status and its lines."""

    async def run(environ: Environ) -> tuple[int, list[dict[str, Any]]]:
        output = io.BytesIO()
        async with asyncio.timeout(LIMIT_SECONDS):
            code = await asyncio.to_thread(main, environ, output)
        return code, [json.loads(line) for line in output.getvalue().splitlines()]

    return run
