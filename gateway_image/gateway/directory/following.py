"""Reads the directory's tables: all of them, or what has changed since a version."""

import asyncio
from collections.abc import Mapping

import asyncpg

from gateway.directory.snapshot import Snapshot

# Rows that are read, and taken, before other work gets its turn: some milliseconds of it.
SLICE = 250

# Projects and roles come first, so that no key stands there without what limits it.
_TABLES = {
    "projects": "SELECT id, name, limits, models, networks, clients, archived_at FROM projects",
    "roles": "SELECT name, limits, model_limits, models, deleted_at FROM roles",
    "api_keys": (
        "SELECT id, project_id, name, roles, limits, models, networks, priority, expires_at, revoked_at "
        "FROM api_keys"
    ),
    "api_key_secrets": "SELECT s.digest, s.key_id, s.expires_at FROM api_key_secrets s",
}
# What is gone for good need not be known by those who have not known it. A key that has expired may be
# extended, and its secrets are not read anew then.
_VALID = {
    "projects": " WHERE archived_at IS NULL",
    "roles": " WHERE deleted_at IS NULL",
    "api_keys": " WHERE revoked_at IS NULL",
    "api_key_secrets": (
        " JOIN api_keys k ON k.id = s.key_id WHERE k.revoked_at IS NULL "
        "AND coalesce(s.expires_at > now(), true)"
    ),
}
_CHANGED = dict.fromkeys(_TABLES, " WHERE version > $1")
_VERSION = "SELECT version FROM directory_version"


async def newest_version(connection: asyncpg.Connection) -> int:
    """The number of the latest change."""
    version: int = await connection.fetchval(_VERSION)
    return version


async def load(connection: asyncpg.Connection) -> tuple[Snapshot, list[str]]:
    """Read all that is valid, as of one moment; returns what is wrong with rows that cannot be read, too."""
    snapshot = Snapshot()
    return snapshot, await _read(connection, snapshot, _VALID)


async def catch_up(connection: asyncpg.Connection, snapshot: Snapshot) -> list[str]:
    """Read what has changed since a snapshot's version, and change it; returns what is wrong with rows.

    If it fails on the way, doing it again does it all.
    """
    return await _read(connection, snapshot, _CHANGED, snapshot.version)


async def _read(
    connection: asyncpg.Connection, snapshot: Snapshot, conditions: Mapping[str, str], *arguments: int
) -> list[str]:
    problems: list[str] = []
    # One moment for all tables. A change that is not yet committed has a higher number: changes wait for
    # one another at directory_version.
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        version = await newest_version(connection)
        for table, select in _TABLES.items():
            cursor = await connection.cursor(select + conditions[table], *arguments)
            while rows := await cursor.fetch(SLICE):
                problems += snapshot.take(table, rows)
                await asyncio.sleep(0)
    snapshot.version = version
    return problems
