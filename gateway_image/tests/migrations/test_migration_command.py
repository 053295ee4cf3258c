"""`python -m gateway.migrations`, as a deployment runs it before the gateway."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import asyncpg
import pytest

from gateway.database.schema import NEEDED_REVISION
from gateway.migrations.connecting import connector
from gateway.migrations.settings import MigrationSettingsError, load_migration_settings, variable
from gateway.migrations.upgrade import upgrade
from local.throwaway_servers import DATABASE, DATABASE_PASSWORD, Postgres, throwaway_postgres

pytestmark = pytest.mark.anyio

LIMIT_SECONDS = 60
Environ = dict[str, str]
Run = Callable[[Environ], Coroutine[Any, Any, tuple[int, list[dict[str, Any]]]]]
SignIn = Callable[..., Awaitable[asyncpg.Connection]]


async def start(environ: Environ) -> asyncio.subprocess.Process:
    """The command in a process of its own, as a task runs it."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-m", "gateway.migrations",
        env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def events(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in lines]


async def test_twice(environ: Environ, owner: asyncpg.Connection, run: Run) -> None:
    code, lines = await run(environ)
    assert code == 0
    assert events(lines) == [
        "migration_started",
        *["migration_step"] * int(NEEDED_REVISION),
        "serving_user",
        "migration_finished",
    ]
    assert (lines[1]["revision"], lines[1]["step"], lines[1]["steps"]) == ("0001", 1, int(NEEDED_REVISION))
    assert (lines[-2]["outcome"], lines[-1]["before"]) == ("created", "none")
    assert lines[-1]["after"] == await owner.fetchval("SELECT version_num FROM alembic_version")
    code, lines = await run(environ)
    assert code == 0
    assert events(lines) == ["migration_started", "serving_user", "migration_finished"]
    assert lines[-2]["outcome"] == "updated"
    assert "password" not in json.dumps(lines)


async def test_several_at_once(environ: Environ, run: Run) -> None:
    results = await asyncio.gather(*(run(environ) for _ in range(3)))
    assert [code for code, _ in results] == [0] * 3
    steps = sum(events(lines).count("migration_step") for _, lines in results)
    assert steps == int(NEEDED_REVISION)


async def test_a_newer_schema_is_left_alone(environ: Environ, owner: asyncpg.Connection, run: Run) -> None:
    """An older release that is deployed again, or whose task starts late."""
    await run(environ)
    await owner.execute("UPDATE alembic_version SET version_num = '9999'")
    environ[variable("serving_password")] = "another-password"
    code, lines = await run(environ)
    assert code == 0
    assert events(lines) == ["migration_started", "schema_is_newer"]
    assert lines[-1]["revision"] == "9999"


async def test_a_step_that_fails_changes_nothing(
    environ: Environ, owner: asyncpg.Connection, run: Run
) -> None:
    await owner.execute("CREATE TABLE usage_monthly (something_else integer)")
    code, lines = await run(environ)
    assert code == 1
    assert events(lines)[-1] == "migration_failed"
    assert "usage_monthly" in lines[-1]["reason"]
    tables = await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert [row["tablename"] for row in tables] == ["usage_monthly"]
    known = await owner.fetchval(
        "SELECT count(*) FROM pg_roles WHERE rolname = $1", environ[variable("serving_username")]
    )
    assert known == 0


async def test_a_table_in_use_is_waited_for(
    environ: Environ,
    owner: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    sign_in_as_owner: SignIn,
    run: Run,
    server: Postgres,
) -> None:
    """Not in the queue for its lock, where requests would wait behind it."""
    monkeypatch.setattr("gateway.migrations.upgrade._LOCK_SECONDS", 0.1)
    monkeypatch.setattr("gateway.migrations.command._PAUSE_SECONDS", 0.1)
    monkeypatch.setattr("gateway.migrations.command._ATTEMPTS", 1000)
    await upgrade(sign_in_as_owner, "0001")
    await owner.execute("BEGIN; LOCK TABLE alembic_version IN SHARE MODE")
    running = asyncio.create_task(run(environ))
    async with asyncio.timeout(LIMIT_SECONDS):
        gave_up = 0
        while gave_up < 2:
            log = await asyncio.to_thread((server.folder / "postgres.log").read_text)
            gave_up = log.count("canceling statement due to lock timeout")
            await asyncio.sleep(0.05)
        await owner.execute("COMMIT")
        code, lines = await running
    assert code == 0
    assert "waiting_for_tables" in events(lines)
    assert lines[-1]["after"] == NEEDED_REVISION


async def test_an_owner_with_iam_signs_in_with_tokens_of_its_own(
    environ: Environ, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    """The first is refused: a role's permission is not known everywhere at once."""
    monkeypatch.setattr("gateway.migrations.command._PAUSE_SECONDS", 0.05)
    tokens: list[str] = []
    connect = asyncpg.connect

    async def check(**options: Any) -> asyncpg.Connection:
        tokens.append(options["password"])
        if len(tokens) == 1:
            raise asyncpg.InvalidAuthorizationSpecificationError("PAM authentication failed")
        return await connect(**options | {"password": DATABASE_PASSWORD})

    monkeypatch.setattr("gateway.migrations.command.asyncpg.connect", check)
    del environ[variable("password")]
    environ |= {variable("authentication"): "iam", variable("region"): "us-east-1"}
    environ |= {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret-key"}
    code, lines = await run(environ)
    assert (code, events(lines)[0], events(lines)[-1]) == (0, "waiting_for_database", "migration_finished")
    assert len(tokens) == 3
    for token in tokens:
        assert token.startswith(f"127.0.0.1:{environ[variable('port')]}/?Action=connect&DBUser=owner&")
        assert "secret-key" not in token
        assert token not in json.dumps(lines)


async def test_an_owner_with_iam_needs_credentials(environ: Environ, run: Run) -> None:
    environ |= {variable("authentication"): "iam", variable("region"): "us-east-1"}
    code, lines = await run(environ)
    assert (code, events(lines)) == (1, ["migration_failed"])
    assert "no AWS credentials" in lines[0]["reason"]


async def test_it_waits_for_the_database(environ: Environ) -> None:
    with throwaway_postgres() as own:
        own.stop()
        environ |= {variable("port"): str(own.port), variable("name"): DATABASE}
        process = await start(environ)
        assert process.stdout is not None
        async with asyncio.timeout(LIMIT_SECONDS):
            waiting = json.loads(await process.stdout.readline())
            assert waiting["event"] == "waiting_for_database"
            await asyncio.to_thread(own.start)
            output, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")
        assert json.loads(output.splitlines()[-1])["event"] == "migration_finished"


async def test_a_step_ends_when_its_task_is_stopped(environ: Environ, owner: asyncpg.Connection) -> None:
    """Its locks would go on stopping requests."""
    settings = load_migration_settings(environ)
    connection = await connector(settings)()
    step = asyncio.create_task(connection.execute("SELECT pg_sleep(600)"))
    running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
    async with asyncio.timeout(LIMIT_SECONDS):
        while not await owner.fetchval(running):  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.05)
        connection.terminate()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await step
        while await owner.fetchval(running):  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.05)


async def test_a_wrong_password_is_not_waited_for(environ: Environ, run: Run) -> None:
    environ[variable("password")] = "wrong-password"
    code, lines = await run(environ)
    assert code == 1
    assert "InvalidPasswordError" in lines[-1]["reason"]
    assert "wrong-password" not in json.dumps(lines)


async def test_wrong_settings(environ: Environ) -> None:
    del environ[variable("host")]
    environ[variable("port")] = "70000"
    process = await start(environ)
    async with asyncio.timeout(LIMIT_SECONDS):
        output, errors = await process.communicate()
    assert (process.returncode, output) == (2, b"")
    assert b"GATEWAY_DATABASE_HOST" in errors
    assert b"GATEWAY_DATABASE_PORT" in errors
    assert DATABASE_PASSWORD.encode() not in errors


async def test_the_owner_needs_a_password_or_iam_and_its_region(environ: Environ) -> None:
    del environ[variable("password")]
    with pytest.raises(MigrationSettingsError, match="PASSWORD is missing; set it, or AUTHENTICATION to iam"):
        load_migration_settings(environ)
    environ[variable("authentication")] = "iam"
    with pytest.raises(MigrationSettingsError, match="REGION is missing"):
        load_migration_settings(environ)
    environ[variable("region")] = "us-east-1"
    assert load_migration_settings(environ).password is None
