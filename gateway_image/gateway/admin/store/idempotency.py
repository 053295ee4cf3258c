"""Answers to changes that carried an Idempotency-Key, for a day."""

from dataclasses import dataclass

import asyncpg


@dataclass(frozen=True, kw_only=True)
class Kept:
    """An answer that was given; answer is JSON, without secrets."""

    actor: str
    key: str
    request_digest: bytes
    status: int
    answer: str


async def find(connection: asyncpg.Connection, actor: str, key: str) -> Kept | None:
    """What was answered within the last day."""
    row = await connection.fetchrow(
        """
        SELECT request_digest, status, answer::text AS answer FROM idempotency_keys
        WHERE actor = $1 AND key = $2 AND created_at > now() - interval '1 day'
        """,
        actor,
        key,
    )
    return None if row is None else Kept(actor=actor, key=key, **row)


async def keep(connection: asyncpg.Connection, kept: Kept) -> None:
    """Keep an answer, and forget those that are older than a day."""
    await connection.execute("DELETE FROM idempotency_keys WHERE created_at <= now() - interval '1 day'")
    await connection.execute(
        """
        INSERT INTO idempotency_keys (actor, key, request_digest, status, answer)
        VALUES ($1, $2, $3, $4, $5::text::jsonb)
        """,
        kept.actor,
        kept.key,
        kept.request_digest,
        kept.status,
        kept.answer,
    )
