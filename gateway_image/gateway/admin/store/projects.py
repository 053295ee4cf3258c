"""Projects in the database."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Literal

import asyncpg

from gateway.admin.pages import Place

ProjectState = Literal["active", "archived", "all"]

_COLUMNS = """id, name, description, limits::text AS limits, models, networks::text[] AS networks, clients,
    version, created_at, updated_at, archived_at"""


@dataclass(frozen=True, kw_only=True)
class Values:
    """What an admin sets of a project; limits are JSON."""

    name: str
    description: str
    limits: str
    models: Sequence[str] | None
    networks: Sequence[str] | None
    clients: Sequence[str]


async def one(
    connection: asyncpg.Connection, project_id: str, *, for_update: bool = False
) -> asyncpg.Record | None:
    """A project, archived or not; None if there is none."""
    lock = "FOR UPDATE" if for_update else ""
    query = f"SELECT {_COLUMNS} FROM projects WHERE id = $1 {lock}"  # noqa: S608 (constants)
    return await connection.fetchrow(query, project_id)


async def several(
    connection: asyncpg.Connection, state: ProjectState, *, name: str | None, after: Place | None, limit: int
) -> Sequence[asyncpg.Record]:
    """Projects, those made last first."""
    created_at, last_id = after or (None, None)
    rows: Sequence[asyncpg.Record] = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM projects
        WHERE ($1 = 'all' OR (archived_at IS NULL) = ($1 = 'active')) AND ($2::text IS NULL OR name = $2)
            AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::text))
        ORDER BY created_at DESC, id DESC LIMIT $5
        """,  # noqa: S608 (constants)
        state,
        name,
        created_at,
        last_id,
        limit,
    )
    return rows


async def add(
    connection: asyncpg.Connection, project_id: str, values: Values, version: int
) -> asyncpg.Record:
    """Write a new project; raises asyncpg.UniqueViolationError if another one has the name."""
    return await connection.fetchrow(
        f"""
        INSERT INTO projects (id, version, name, description, limits, models, networks, clients)
        VALUES ($1, $2, $3, $4, $5::text::jsonb, $6::text[], $7::text[]::cidr[], $8::text[])
        RETURNING {_COLUMNS}
        """,  # noqa: S608 (constants)
        project_id,
        version,
        *astuple(values),
    )


async def update(
    connection: asyncpg.Connection, project_id: str, values: Values, version: int
) -> asyncpg.Record:
    """Write a project anew; raises asyncpg.UniqueViolationError if another one has the name."""
    return await connection.fetchrow(
        f"""
        UPDATE projects SET version = $2, updated_at = now(), name = $3, description = $4,
            limits = $5::text::jsonb, models = $6::text[], networks = $7::text[]::cidr[],
            clients = $8::text[]
        WHERE id = $1 RETURNING {_COLUMNS}
        """,  # noqa: S608 (constants)
        project_id,
        version,
        *astuple(values),
    )


async def archive(connection: asyncpg.Connection, project_id: str, version: int) -> asyncpg.Record:
    """Mark a project as archived."""
    return await connection.fetchrow(
        f"""
        UPDATE projects SET version = $2, updated_at = now(), archived_at = now()
        WHERE id = $1 RETURNING {_COLUMNS}
        """,  # noqa: S608 (constants)
        project_id,
        version,
    )


async def with_clients(
    connection: asyncpg.Connection, clients: Sequence[str], *, but: str | None
) -> asyncpg.Record | None:
    """Another project that is not archived and has one of these clients: its ID, name and that client."""
    return await connection.fetchrow(
        """
        SELECT id, name, client FROM projects, unnest(clients) AS client
        WHERE archived_at IS NULL AND id IS DISTINCT FROM $2::text AND client = ANY($1::text[])
        LIMIT 1
        """,
        clients,
        but,
    )


async def of_client(connection: asyncpg.Connection, client: str) -> asyncpg.Record | None:
    """The project in whose name a client ('issuer#client_id') calls."""
    condition = "archived_at IS NULL AND $1 = ANY(clients)"
    query = f"SELECT {_COLUMNS} FROM projects WHERE {condition}"  # noqa: S608 (constants)
    return await connection.fetchrow(query, client)


async def names(connection: asyncpg.Connection, ids: Sequence[str]) -> dict[str, str]:
    """The names of projects, archived or not, by ID."""
    rows = await connection.fetch("SELECT id, name FROM projects WHERE id = ANY($1::text[])", ids)
    return {row["id"]: row["name"] for row in rows}
