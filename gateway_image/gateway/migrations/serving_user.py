"""The database user of the gateway's processes, with the least rights they need."""

import base64
import hmac
import secrets
from hashlib import pbkdf2_hmac, sha256
from typing import Any, Literal

import asyncpg

from gateway.migrations.privileges import FUNCTIONS, TABLES

_ITERATIONS = 4096
# RDS lets its members sign in with tokens, and with nothing else.
_IAM_ROLE = "rds_iam"
_MAKER = "gatehouse_maker"
_ATTRIBUTES = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"


async def prepare_serving_user(
    connection: asyncpg.Connection, username: str, password: str | None
) -> Literal["created", "updated"]:
    """Create the user or renew its password, and grant it its rights; safe to run again.

    password: None for a user who signs in as an IAM role. Runs in the caller's transaction.
    """
    known = await _exists(connection, username)
    verb = "ALTER ROLE %I LOGIN" if known else f"CREATE ROLE %I {_ATTRIBUTES}"
    if password is not None:
        # Never the password itself: servers may log statements.
        await _run(connection, f"{verb} PASSWORD %L", username, scram_secret(password))
    elif await _exists(connection, _IAM_ROLE):
        if not known:
            await _create_for_iam(connection, username)
        await _run(connection, "GRANT %I TO %I", _IAM_ROLE, username)
    else:
        await _run(connection, f"{verb} PASSWORD NULL", username)
    await _grant(connection, username)
    return "updated" if known else "created"


async def _create_for_iam(connection: asyncpg.Connection, username: str) -> None:
    """Create a user whom the caller is not a member of: RDS takes no password of a member of `rds_iam`.

    So an owner who signs in as an IAM role can be given a password, should IAM fail it. Since PostgreSQL 16
    whoever creates a role becomes a member of it, and through it of `rds_iam`, for ever. A role creates the
    user that is gone thereafter; nobody but RDS itself can alter or drop the user then.
    """
    await _run(connection, "CREATE ROLE %I CREATEROLE", _MAKER)
    await _run(connection, "GRANT %I TO CURRENT_USER WITH INHERIT FALSE, SET TRUE", _MAKER)
    await _run(connection, "SET LOCAL ROLE %I", _MAKER)
    await _run(connection, f"CREATE ROLE %I {_ATTRIBUTES}", username)
    await _run(connection, "RESET ROLE")
    await _run(connection, "DROP ROLE %I", _MAKER)


async def _exists(connection: asyncpg.Connection, role: str) -> bool:
    return bool(await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role))


async def _grant(connection: asyncpg.Connection, username: str) -> None:
    database = await connection.fetchval("SELECT current_database()")
    # In a new database, everybody may make temporary tables and call every function.
    await _run(connection, "REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC", database)
    await _run(connection, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    await _run(connection, "GRANT CONNECT ON DATABASE %I TO %I", database, username)
    await _run(connection, "GRANT USAGE ON SCHEMA public TO %I", username)
    for table, rights in TABLES.items():
        await _run(connection, f"GRANT {', '.join(rights)} ON %I TO %I", table, username)
    for function in FUNCTIONS:
        await _run(connection, f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
        await _run(connection, f"GRANT EXECUTE ON FUNCTION {function} TO %I", username)


async def _run(connection: asyncpg.Connection, statement: str, *values: Any) -> None:
    """Run a statement of the kinds that take no parameters; PostgreSQL itself quotes the values."""
    places = ", ".join(f"${number}::text" for number in range(1, len(values) + 1))
    if values:
        statement = await connection.fetchval(f"SELECT format('{statement}', {places})", *values)
    await connection.execute(statement)


def scram_secret(password: str, salt: bytes | None = None) -> str:
    """What PostgreSQL keeps of an ASCII password (RFC 5803): from it, nobody can sign in."""
    salt = secrets.token_bytes(16) if salt is None else salt
    salted = pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored_key = sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(each).decode() for each in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
