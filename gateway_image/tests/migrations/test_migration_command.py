"""`python -m gateway.migrations`, as a deployment runs it before the gateway."""

import asyncio
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway.database.schema import NEEDED_REVISION
from gateway.migrations import command
from gateway.migrations.__main__ import main
from gateway.migrations.privileges import FUNCTIONS, TABLES
from gateway.migrations.serving_user import scram_secret
from gateway.migrations.settings import (
    MigrationSettings,
    MigrationSettingsError,
    load_migration_settings,
    variable,
)
from gateway.migrations.upgrade import upgrade
from local.throwaway_servers import (
    DATABASE,
    DATABASE_OWNER,
    DATABASE_PASSWORD,
    Postgres,
    throwaway_postgres,
)

pytestmark = pytest.mark.anyio

SERVING_PASSWORD = "password-of-serving-processes-'%I%s"
LIMIT_SECONDS = 60


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with throwaway_postgres() as server:
        yield server


@pytest.fixture
async def empty_database(server: Postgres) -> str:
    """A new database without a schema."""
    name = f"test_{os.urandom(8).hex()}"
    connection = await asyncpg.connect(dsn(server, "postgres"))
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return name


@pytest.fixture
async def owner(server: Postgres, empty_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn(server, empty_database))
    yield connection
    await connection.close()


@pytest.fixture
def environ(server: Postgres, empty_database: str) -> dict[str, str]:
    """The command's environment, for a serving user of the test's own."""
    fields = {
        "host": "127.0.0.1",
        "port": str(server.port),
        "name": empty_database,
        "tls": "false",
        "username": DATABASE_OWNER,
        "password": DATABASE_PASSWORD,
        "serving_username": f"Serving \"{empty_database}'s",
        "serving_password": SERVING_PASSWORD,
    }
    return {variable(field): value for field, value in fields.items()} | {
        "LOG": str(server.folder / "postgres.log")
    }


def dsn(server: Postgres, database: str) -> str:
    return f"{server.dsn.partition('?')[0].removesuffix(DATABASE)}{database}?sslmode=disable"


async def run(environ: dict[str, str]) -> tuple[int, list[dict[str, Any]]]:
    """Its exit status and its lines."""
    output = io.BytesIO()
    async with asyncio.timeout(LIMIT_SECONDS):
        code = await asyncio.to_thread(main, environ, output)
    return code, [json.loads(line) for line in output.getvalue().splitlines()]


async def start(environ: dict[str, str]) -> asyncio.subprocess.Process:
    """The command in a process of its own, as a task runs it."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-m", "gateway.migrations",
        env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def events(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in lines]


async def sign_in_as_owner(environ: dict[str, str]) -> asyncpg.Connection:
    return await asyncpg.connect(
        host="127.0.0.1",
        port=int(environ[variable("port")]),
        database=environ[variable("name")],
        user=DATABASE_OWNER,
        password=DATABASE_PASSWORD,
        ssl=False,
    )


async def sign_in(environ: dict[str, str]) -> asyncpg.Connection:
    return await asyncpg.connect(
        host="127.0.0.1",
        port=int(environ[variable("port")]),
        database=environ[variable("name")],
        user=environ[variable("serving_username")],
        password=environ.get(variable("serving_password")),
        ssl=False,
    )


async def test_twice(environ: dict[str, str], owner: asyncpg.Connection) -> None:
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


async def test_several_at_once(environ: dict[str, str]) -> None:
    results = await asyncio.gather(*(run(environ) for _ in range(3)))
    assert [code for code, _ in results] == [0] * 3
    steps = sum(events(lines).count("migration_step") for _, lines in results)
    assert steps == int(NEEDED_REVISION)


async def test_a_newer_schema_is_left_alone(environ: dict[str, str], owner: asyncpg.Connection) -> None:
    """An older release that is deployed again, or whose task starts late."""
    await run(environ)
    await owner.execute("UPDATE alembic_version SET version_num = '9999'")
    environ[variable("serving_password")] = "another-password"
    code, lines = await run(environ)
    assert code == 0
    assert events(lines) == ["migration_started", "schema_is_newer"]
    assert lines[-1]["revision"] == "9999"


async def test_a_step_that_fails_changes_nothing(environ: dict[str, str], owner: asyncpg.Connection) -> None:
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
    environ: dict[str, str], owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the queue for its lock, where requests would wait behind it."""
    monkeypatch.setattr("gateway.migrations.upgrade._LOCK_SECONDS", 0.1)
    monkeypatch.setattr("gateway.migrations.command._PAUSE_SECONDS", 0.1)
    monkeypatch.setattr("gateway.migrations.command._ATTEMPTS", 1000)
    await upgrade(lambda: sign_in_as_owner(environ), "0001")
    await owner.execute("BEGIN; LOCK TABLE alembic_version IN SHARE MODE")
    running = asyncio.create_task(run(environ))
    async with asyncio.timeout(LIMIT_SECONDS):
        gave_up = 0
        while gave_up < 2:
            log = await asyncio.to_thread((Path(environ["LOG"])).read_text)
            gave_up = log.count("canceling statement due to lock timeout")
            await asyncio.sleep(0.05)
        await owner.execute("COMMIT")
        code, lines = await running
    assert code == 0
    assert "waiting_for_tables" in events(lines)
    assert lines[-1]["after"] == NEEDED_REVISION


async def test_a_new_password_of_the_serving_user(environ: dict[str, str]) -> None:
    await run(environ)
    await (await sign_in(environ)).close()
    old = dict(environ)
    environ[variable("serving_password")] = "rotated-password"
    await run(environ)
    await (await sign_in(environ)).close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await sign_in(old)


async def test_the_password_is_in_no_statement(
    environ: dict[str, str], owner: asyncpg.Connection, server: Postgres
) -> None:
    """Servers may be set to log statements."""
    await owner.execute(f"ALTER DATABASE {environ[variable('name')]} SET log_statement = 'all'")
    await run(environ)
    log = (server.folder / "postgres.log").read_text()
    assert "CREATE ROLE" in log
    assert "SCRAM-SHA-256$4096:" in log
    assert "password-of-serving" not in log


async def test_the_owner_may_serve(environ: dict[str, str]) -> None:
    environ[variable("serving_username")] = DATABASE_OWNER
    del environ[variable("serving_password")]
    code, lines = await run(environ)
    assert code == 0
    assert lines[-2]["outcome"] == "is the owner"


async def test_a_serving_user_with_iam(environ: dict[str, str], owner: asyncpg.Connection) -> None:
    """It has no password, and is a member of RDS's role where there is one."""
    del environ[variable("serving_password")]
    environ[variable("serving_authentication")] = "iam"
    code, _ = await run(environ)
    assert code == 0
    username = environ[variable("serving_username")]
    member = "SELECT pg_has_role($1, 'rds_iam', 'member')"
    await owner.execute("CREATE ROLE rds_iam")
    try:
        await run(environ)
        assert await owner.fetchval(member, username)
        password = await owner.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", username)
        assert password is None
    finally:
        await owner.execute("DROP ROLE rds_iam")


async def test_the_owner_is_no_member_of_a_serving_user_with_iam(
    environ: dict[str, str], owner: asyncpg.Connection
) -> None:
    """RDS would take no password of the owner's any more, and no later deployment could migrate."""
    del environ[variable("serving_password")]
    environ[variable("serving_authentication")] = "iam"
    environ[variable("username")] = "owner_on_rds"
    await owner.execute(
        f"""
        CREATE ROLE rds_iam;
        CREATE ROLE owner_on_rds LOGIN CREATEROLE PASSWORD '{DATABASE_PASSWORD}';
        GRANT rds_iam TO owner_on_rds WITH ADMIN OPTION;
        ALTER DATABASE {environ[variable("name")]} OWNER TO owner_on_rds"""
    )
    try:
        for outcome in ("created", "updated"):
            code, lines = await run(environ)
            assert (code, lines[-2]["outcome"]) == (0, outcome), lines
            serving = environ[variable("serving_username")]
            member = "SELECT pg_has_role($1, $2, 'MEMBER')"
            assert await owner.fetchval(member, serving, "rds_iam")
            assert not await owner.fetchval(member, "owner_on_rds", serving)
        assert not await owner.fetchval("SELECT true FROM pg_roles WHERE rolname = 'gatehouse_maker'")
    finally:
        await owner.execute(
            "REASSIGN OWNED BY owner_on_rds TO CURRENT_USER; DROP OWNED BY owner_on_rds; "
            "DROP ROLE owner_on_rds; DROP ROLE rds_iam"
        )


async def test_an_owner_with_iam_signs_in_with_tokens_of_its_own(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
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


async def test_an_owner_with_iam_needs_credentials(environ: dict[str, str]) -> None:
    environ |= {variable("authentication"): "iam", variable("region"): "us-east-1"}
    code, lines = await run(environ)
    assert (code, events(lines)) == (1, ["migration_failed"])
    assert "no AWS credentials" in lines[0]["reason"]


async def test_it_waits_for_the_database(environ: dict[str, str]) -> None:
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


async def test_a_step_ends_when_its_task_is_stopped(
    environ: dict[str, str], owner: asyncpg.Connection
) -> None:
    """Its locks would go on stopping requests."""
    settings = load_migration_settings({name: value for name, value in environ.items() if name != "LOG"})
    connection = await command._connector(settings)()
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


async def test_a_wrong_password_is_not_waited_for(environ: dict[str, str]) -> None:
    environ[variable("password")] = "wrong-password"
    code, lines = await run(environ)
    assert code == 1
    assert "InvalidPasswordError" in lines[-1]["reason"]
    assert "wrong-password" not in json.dumps(lines)


async def test_wrong_settings(environ: dict[str, str]) -> None:
    del environ[variable("host")]
    environ[variable("port")] = "70000"
    process = await start(environ)
    async with asyncio.timeout(LIMIT_SECONDS):
        output, errors = await process.communicate()
    assert (process.returncode, output) == (2, b"")
    assert b"GATEWAY_DATABASE_HOST" in errors
    assert b"GATEWAY_DATABASE_PORT" in errors
    assert DATABASE_PASSWORD.encode() not in errors


async def test_the_owner_needs_a_password_or_iam_and_its_region(environ: dict[str, str]) -> None:
    del environ[variable("password")]
    with pytest.raises(MigrationSettingsError, match="PASSWORD is missing; set it, or AUTHENTICATION to iam"):
        load_migration_settings(environ)
    environ[variable("authentication")] = "iam"
    with pytest.raises(MigrationSettingsError, match="REGION is missing"):
        load_migration_settings(environ)
    environ[variable("region")] = "us-east-1"
    assert load_migration_settings(environ).password is None


async def test_a_serving_user_needs_a_password_or_iam(environ: dict[str, str]) -> None:
    del environ[variable("serving_password")]
    with pytest.raises(MigrationSettingsError, match="SERVING_PASSWORD is missing"):
        load_migration_settings(environ)
    with pytest.raises(MigrationSettingsError, match="only ASCII"):
        load_migration_settings(environ | {variable("serving_password"): "geheimnis-ß"})
    settings = load_migration_settings(environ | {variable("serving_authentication"): "iam"})
    assert isinstance(settings, MigrationSettings)
    assert DATABASE_PASSWORD not in repr(settings)


def test_a_scram_secret_is_that_of_the_standard() -> None:
    """The keys of RFC 7677's example follow from its password and salt; PostgreSQL accepts them elsewhere."""
    secret = scram_secret("pencil", bytes.fromhex("5b6d99689d123ad7a3c9d5ca6ad56b6b"))
    assert re.fullmatch(
        r"SCRAM-SHA-256\$4096:[A-Za-z0-9+/=]{24}\$[A-Za-z0-9+/=]{44}:[A-Za-z0-9+/=]{44}", secret
    )
    assert scram_secret("pencil") != scram_secret("pencil")


REFUSED = [
    "CREATE TABLE more ()",
    "CREATE TEMPORARY TABLE more ()",
    "CREATE SCHEMA more",
    "CREATE ROLE more",
    "ALTER TABLE usage ADD more text",
    "DROP TABLE usage_hourly",
    "TRUNCATE usage",
    "DELETE FROM usage",
    "UPDATE usage SET cost_nano_usd = 0",
    "DELETE FROM usage_hourly",
    "UPDATE audit_log SET actor = 'somebody else'",
    "DELETE FROM audit_log",
    "DELETE FROM api_keys",
    "UPDATE usage_retention SET kept_since = now()",
    "UPDATE alembic_version SET version_num = '0000'",
    "SELECT * FROM pg_authid",
    "SELECT * FROM usage_default",
    "SELECT pg_read_file('/etc/passwd')",
    "COPY usage TO '/tmp/usage'",
    "ALTER FUNCTION usage_add_months() RESET search_path",
]


async def test_the_serving_user_has_the_least_rights(
    environ: dict[str, str], owner: asyncpg.Connection
) -> None:
    await run(environ)
    username = environ[variable("serving_username")]
    connection = await sign_in(environ)
    for statement in REFUSED:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.execute("SELECT usage_add_months(), usage_drop_months(13)")
    await connection.close()
    attributes = await owner.fetchrow(
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles "
        "WHERE rolname = $1",
        username,
    )
    assert not any(attributes)


async def test_every_table_has_its_rights(environ: dict[str, str], owner: asyncpg.Connection) -> None:
    """A table that a new step adds is unknown to serving processes until it is listed."""
    await run(environ)
    username = environ[variable("serving_username")]
    tables = await owner.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relkind IN ('r', 'p') AND NOT relispartition"
    )
    assert {row["relname"] for row in tables} == set(TABLES)
    for table, rights in TABLES.items():
        granted = {
            right
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
            if await owner.fetchval("SELECT has_table_privilege($1, $2, $3)", username, table, right)
        }
        assert granted == set(rights), table
    functions = await owner.fetch(
        "SELECT oid::regprocedure::text AS name, prosecdef, proconfig, "
        "EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0) AS is_public "
        "FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    )
    assert {row["name"] for row in functions} == set(FUNCTIONS)
    for row in functions:
        assert not row["is_public"]
        # What runs with its owner's rights looks for names where only the owner can put them.
        assert row["prosecdef"]
        assert "search_path=public, pg_temp" in row["proconfig"]
