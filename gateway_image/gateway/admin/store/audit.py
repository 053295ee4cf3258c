"""The log of changes."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

import asyncpg


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A change: who made it from where, and the object before and after as JSON."""

    actor: str
    actor_name: str
    source_address: str | None
    request_id: str
    action: str
    object_type: str
    object_id: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which entries; None for all."""

    object_type: str | None
    object_id: str | None
    actor: str | None
    since: datetime | None
    until: datetime | None


async def add(connection: asyncpg.Connection, entry: Entry) -> None:
    """Write an entry."""
    await connection.execute(
        """
        INSERT INTO audit_log (
            actor, actor_name, source_address, request_id, action, object_type, object_id, before, after
        ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $9::text::jsonb)
        """,
        *astuple(entry),
    )


async def entries(
    connection: asyncpg.Connection, filters: Filters, *, before_id: int | None, limit: int
) -> Sequence[asyncpg.Record]:
    """The newest entries with IDs below one; until is excluded."""
    rows: Sequence[asyncpg.Record] = await connection.fetch(
        """
        SELECT id, at, actor, actor_name, source_address, request_id, action, object_type, object_id,
            before::text AS before, after::text AS after
        FROM audit_log
        WHERE ($1::text IS NULL OR object_type = $1) AND ($2::text IS NULL OR object_id = $2)
            AND ($3::text IS NULL OR actor = $3)
            AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5)
            AND ($6::bigint IS NULL OR id < $6)
        ORDER BY id DESC LIMIT $7
        """,
        *astuple(filters),
        before_id,
        limit,
    )
    return rows
