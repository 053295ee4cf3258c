"""The user that serving processes sign in as: how it is made, and what it may."""

import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import asyncpg
import pytest

from gateway.migrations.privileges import FUNCTIONS, TABLES
from gateway.migrations.serving_user import scram_secret
from gateway.migrations.settings import (
    MigrationSettings,
    MigrationSettingsError,
    load_migration_settings,
    variable,
)
from local.throwaway_servers import DATABASE_OWNER, DATABASE_PASSWORD, Postgres

pytestmark = pytest.mark.anyio

Environ = dict[str, str]
Run = Callable[[Environ], Coroutine[Any, Any, tuple[int, list[dict[str, Any]]]]]
SignIn = Callable[..., Awaitable[asyncpg.Connection]]


async def test_a_new_password_of_the_serving_user(environ: Environ, sign_in: SignIn, run: Run) -> None:
    await run(environ)
    await (await sign_in()).close()
    old = dict(environ)
    environ[variable("serving_password")] = "rotated-password"
    await run(environ)
    await (await sign_in()).close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await sign_in(old)


async def test_the_password_is_in_no_statement(
    environ: Environ, owner: asyncpg.Connection, server: Postgres, run: Run
) -> None:
    """Servers may be set to log statements."""
    await owner.execute(f"ALTER DATABASE {environ[variable('name')]} SET log_statement = 'all'")
    await run(environ)
    log = (server.folder / "postgres.log").read_text()
    assert "CREATE ROLE" in log
    assert "SCRAM-SHA-256$4096:" in log
    assert "password-of-serving" not in log


async def test_the_owner_may_serve(environ: Environ, run: Run) -> None:
    environ[variable("serving_username")] = DATABASE_OWNER
    del environ[variable("serving_password")]
    code, lines = await run(environ)
    assert code == 0
    assert lines[-2]["outcome"] == "is the owner"


async def test_a_serving_user_with_iam(environ: Environ, owner: asyncpg.Connection, run: Run) -> None:
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
    environ: Environ, owner: asyncpg.Connection, run: Run
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


async def test_a_serving_user_needs_a_password_or_iam(environ: Environ) -> None:
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
    environ: Environ, owner: asyncpg.Connection, sign_in: SignIn, run: Run
) -> None:
    await run(environ)
    username = environ[variable("serving_username")]
    connection = await sign_in()
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


async def test_every_table_has_its_rights(environ: Environ, owner: asyncpg.Connection, run: Run) -> None:
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
