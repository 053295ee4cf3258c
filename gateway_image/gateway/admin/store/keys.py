"""API keys in the database, and the digests of their secrets."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Literal

import asyncpg

from gateway.admin.pages import Place

KeyState = Literal["active", "expired", "revoked", "project_archived"]

# A key stops for the first of these reasons that holds.
_STATE = """CASE
        WHEN k.revoked_at IS NOT NULL THEN 'revoked'
        WHEN p.archived_at IS NOT NULL THEN 'project_archived'
        WHEN k.expires_at <= now() THEN 'expired'
        ELSE 'active'
    END"""
_COLUMNS = f"""k.id, k.project_id, k.name, k.roles, k.limits::text AS limits, k.models,
    k.networks::text[] AS networks, k.priority, k.expires_at, k.revoked_at, k.version, k.created_at,
    k.created_by, k.updated_at, {_STATE} AS state,
    (
        SELECT coalesce(json_agg(json_build_object(
            'prefix', s.prefix, 'created_at', s.created_at, 'expires_at', s.expires_at
        ) ORDER BY s.created_at DESC, s.prefix), '[]')::text
        FROM api_key_secrets s WHERE s.key_id = k.id AND (s.expires_at IS NULL OR s.expires_at > now())
    ) AS secrets"""  # noqa: S608 (constants)
_FROM = "FROM api_keys k JOIN projects p ON p.id = k.project_id"


@dataclass(frozen=True, kw_only=True)
class Values:
    """What an admin sets of a key; limits are JSON."""

    name: str
    roles: Sequence[str]
    limits: str
    models: Sequence[str] | None
    networks: Sequence[str] | None
    priority: str
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which keys; None for all."""

    project_id: str | None
    name: str | None
    state: KeyState | None


async def one(
    connection: asyncpg.Connection, key_id: str, *, for_update: bool = False
) -> asyncpg.Record | None:
    """A key, whatever its state; None if there is none."""
    lock = "FOR UPDATE OF k" if for_update else ""
    return await connection.fetchrow(f"SELECT {_COLUMNS} {_FROM} WHERE k.id = $1 {lock}", key_id)


async def several(
    connection: asyncpg.Connection, filters: Filters, *, after: Place | None, limit: int
) -> Sequence[asyncpg.Record]:
    """Keys, those made last first."""
    created_at, last_id = after or (None, None)
    rows: Sequence[asyncpg.Record] = await connection.fetch(
        f"""
        SELECT {_COLUMNS} {_FROM}
        WHERE ($1::text IS NULL OR k.project_id = $1) AND ($2::text IS NULL OR k.name = $2)
            AND ($3::text IS NULL OR {_STATE} = $3)
            AND ($4::timestamptz IS NULL OR (k.created_at, k.id) < ($4, $5::text))
        ORDER BY k.created_at DESC, k.id DESC LIMIT $6
        """,
        *astuple(filters),
        created_at,
        last_id,
        limit,
    )
    return rows


async def count_active(connection: asyncpg.Connection, project_id: str) -> int:
    """How many keys of a project work."""
    query = f"SELECT count(*) {_FROM} WHERE k.project_id = $1 AND {_STATE} = 'active'"
    count: int = await connection.fetchval(query, project_id)
    return count


async def add(
    connection: asyncpg.Connection,
    key_id: str,
    project_id: str,
    values: Values,
    version: int,
    *,
    created_by: str,
) -> None:
    """Write a new key, without a secret."""
    await connection.execute(
        """
        INSERT INTO api_keys (
            id, version, name, roles, limits, models, networks, priority, expires_at, project_id, created_by
        ) VALUES (
            $1, $2, $3, $4::text[], $5::text::jsonb, $6::text[], $7::text[]::cidr[], $8, $9, $10, $11
        )
        """,
        key_id,
        version,
        *astuple(values),
        project_id,
        created_by,
    )


async def update(connection: asyncpg.Connection, key_id: str, values: Values, version: int) -> None:
    """Write a key anew, and its secrets: whoever has forgotten an expired key learns of them again."""
    await connection.execute(
        "UPDATE api_key_secrets SET version = $2 WHERE key_id = $1 AND coalesce(expires_at > now(), true)",
        key_id,
        version,
    )
    await connection.execute(
        """
        UPDATE api_keys SET version = $2, updated_at = now(), name = $3, roles = $4::text[],
            limits = $5::text::jsonb, models = $6::text[], networks = $7::text[]::cidr[], priority = $8,
            expires_at = $9
        WHERE id = $1
        """,
        key_id,
        version,
        *astuple(values),
    )


async def revoke(connection: asyncpg.Connection, key_id: str, version: int) -> None:
    """Mark a key as revoked."""
    await connection.execute(
        "UPDATE api_keys SET version = $2, updated_at = now(), revoked_at = now() WHERE id = $1",
        key_id,
        version,
    )


async def add_secret(
    connection: asyncpg.Connection, key_id: str, *, digest: bytes, prefix: str, version: int
) -> None:
    """Let a key be used by one more secret."""
    await connection.execute(
        "INSERT INTO api_key_secrets (digest, key_id, prefix, version) VALUES ($1, $2, $3, $4)",
        digest,
        key_id,
        prefix,
        version,
    )


async def end_secrets(
    connection: asyncpg.Connection, key_id: str, version: int, *, overlap_seconds: int
) -> None:
    """Let the key's newest secret end so many seconds from now, and older ones at once."""
    await connection.execute(
        """
        UPDATE api_key_secrets SET version = $2, expires_at = CASE
            WHEN expires_at IS NULL THEN now() + make_interval(secs => $3) ELSE now()
        END
        WHERE key_id = $1 AND (expires_at IS NULL OR expires_at > now())
        """,
        key_id,
        version,
        overlap_seconds,
    )
    await connection.execute(
        "UPDATE api_keys SET version = $2, updated_at = now() WHERE id = $1", key_id, version
    )
