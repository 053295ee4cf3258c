"""The migrations in the image, hardened as the platform runs them, on a real database."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from gatehouse.profiles.gatehouse import MIGRATIONS_COMMAND, PYTHON
from gateway.migrations.settings import variable
from local.container.docker import Docker
from local.throwaway_servers import (
    DATABASE,
    DATABASE_OWNER,
    DATABASE_PASSWORD,
    Postgres,
    throwaway_postgres,
)
from tests.container.conftest import HARDENED

SERVING_PASSWORD = "password-of-the-gateway"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with throwaway_postgres() as postgres:
        yield postgres


def _migrate(docker: Docker, image: str, **settings: str) -> tuple[int, list[dict[str, Any]]]:
    """Run them; the exit code and what they printed."""
    variables = [f"--env={variable(field)}={value}" for field, value in settings.items()]
    command = ["run", "--rm", *HARDENED, "--tmpfs=/tmp:noexec,nosuid,nodev", *variables]
    done = docker.attempt(*command, f"--entrypoint={PYTHON}", image, *MIGRATIONS_COMMAND)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def _settings(postgres: Postgres) -> dict[str, str]:
    return {
        "host": "127.0.0.1",
        "port": str(postgres.port),
        "name": DATABASE,
        "tls": "false",
        "username": DATABASE_OWNER,
        "password": DATABASE_PASSWORD,
        "serving_username": "gateway",
        "serving_password": SERVING_PASSWORD,
    }


def test_they_need_no_writable_place_and_may_run_again(
    docker: Docker, image: str, postgres: Postgres
) -> None:
    first, lines = _migrate(docker, image, **_settings(postgres))
    assert first == 0, lines
    assert [line["event"] for line in lines][-1] == "migration_finished"
    again, lines = _migrate(docker, image, **_settings(postgres))
    assert again == 0, lines
    assert "migration_step" not in {line["event"] for line in lines}
    assert asyncio.run(_tables_seen_by_the_gateway(postgres)) > 0


async def _tables_seen_by_the_gateway(postgres: Postgres) -> int:
    connection = await asyncpg.connect(
        host="127.0.0.1",
        port=postgres.port,
        user="gateway",
        password=SERVING_PASSWORD,
        database=DATABASE,
        ssl=False,
    )
    try:
        count = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        return int(await connection.fetchval(count))
    finally:
        await connection.close()


def test_wrong_settings_are_told_by_their_exit_code(docker: Docker, image: str) -> None:
    assert _migrate(docker, image) == (2, [])
