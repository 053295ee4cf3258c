"""Roles in the database. Two exist without a row: they begin without limits."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import asyncpg

from gateway.callers import ADMIN_ROLE, DEFAULT_ROLE

BUILT_IN = (ADMIN_ROLE, DEFAULT_ROLE)

_COLUMNS = """name, description, limits::text AS limits, model_limits::text AS model_limits, models, version,
    created_at, updated_at"""
_ALL = f"""
    SELECT {_COLUMNS} FROM roles WHERE deleted_at IS NULL
    UNION ALL
    SELECT built_in.name, '', '{{}}', '{{}}', NULL, 0, NULL, NULL FROM unnest($1::text[]) AS built_in (name)
    WHERE NOT EXISTS (
        SELECT FROM roles WHERE roles.name = built_in.name AND roles.deleted_at IS NULL
    )
"""  # noqa: S608 (constants)


@dataclass(frozen=True, kw_only=True)
class Values:
    """What an admin sets of a role; limits and model_limits are JSON."""

    description: str
    limits: str
    model_limits: str
    models: Sequence[str] | None


async def by_name(connection: asyncpg.Connection, names: Sequence[str]) -> Sequence[asyncpg.Record]:
    """Those of some roles that there are."""
    query = f"SELECT * FROM ({_ALL}) AS every WHERE name = ANY($2::text[])"  # noqa: S608 (constants)
    rows: Sequence[asyncpg.Record] = await connection.fetch(query, BUILT_IN, names)
    return rows


async def one(connection: asyncpg.Connection, name: str) -> asyncpg.Record | None:
    """A role; None if there is none."""
    found = await by_name(connection, [name])
    return found[0] if found else None


async def several(
    connection: asyncpg.Connection, *, after: str | None, limit: int
) -> Sequence[asyncpg.Record]:
    """Roles, by name."""
    rows: Sequence[asyncpg.Record] = await connection.fetch(
        f"""
        SELECT * FROM ({_ALL}) AS every WHERE $2::text IS NULL OR name COLLATE "C" > $2
        ORDER BY name COLLATE "C" LIMIT $3
        """,  # noqa: S608 (constants)
        BUILT_IN,
        after,
        limit,
    )
    return rows


async def put(connection: asyncpg.Connection, name: str, values: Values, version: int) -> asyncpg.Record:
    """Write a role, new or anew; one that was deleted begins again."""
    return await connection.fetchrow(
        f"""
        INSERT INTO roles (name, version, description, limits, model_limits, models)
        VALUES ($1, $2, $3, $4::text::jsonb, $5::text::jsonb, $6::text[])
        ON CONFLICT (name) DO UPDATE SET version = excluded.version, description = excluded.description,
            limits = excluded.limits, model_limits = excluded.model_limits, models = excluded.models,
            updated_at = now(), deleted_at = NULL,
            created_at = CASE WHEN roles.deleted_at IS NULL THEN roles.created_at ELSE now() END
        RETURNING {_COLUMNS}
        """,  # noqa: S608 (constants)
        name,
        version,
        *astuple(values),
    )


async def delete(connection: asyncpg.Connection, name: str, version: int) -> None:
    """Mark a role as deleted."""
    await connection.execute(
        "UPDATE roles SET version = $2, updated_at = now(), deleted_at = now() WHERE name = $1", name, version
    )
