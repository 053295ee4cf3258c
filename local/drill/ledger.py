"""What the ledger holds of what callers were told, and how what it lacks is brought back."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from gateway.ledger.export import export_rows
from gateway.ledger.import_log import import_log
from local.drill.callers import Acknowledged
from local.drill.world import World
from local.throwaway_servers import Postgres

# A row is written when its request ends: those of the longest requests are older.
_EARLIER_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """Rows beside acknowledged requests.

    lost: acknowledged requests without a row, answered before the loss; the oldest of them was answered
    `oldest_lost_seconds` before it. lost_later: such that were answered afterwards. doubled: requests with
    more than one row.
    """

    lost: int
    oldest_lost_seconds: float
    lost_later: int
    doubled: int


async def reconcile(
    database: Postgres, acknowledged: Sequence[Acknowledged], *, lost_at: float
) -> Reconciliation:
    """Compare the surviving ledger with what callers were told; `lost_at` is when the region was."""
    connection = await asyncpg.connect(database.dsn)
    try:
        rows = await connection.fetch("SELECT request_id, count(*) AS rows FROM usage GROUP BY request_id")
    finally:
        await connection.close()
    counts = {row["request_id"]: row["rows"] for row in rows}
    missing = [each for each in acknowledged if each.request_id not in counts]
    before = [each for each in missing if each.at <= lost_at]
    return Reconciliation(
        lost=len(before),
        oldest_lost_seconds=max((lost_at - each.at for each in before), default=0.0),
        lost_later=len(missing) - len(before),
        doubled=sum(count > 1 for count in counts.values()),
    )


async def salvage(world: World, *, since: float) -> int:
    """Bring rows of the old region into the ledger; how many were new there.

    They are in its database, and in the log of gateways that could not write them before they ended.
    """
    old = world.old_database or world.primary.postgres
    lines = [*await _exported(old, since - _EARLIER_SECONDS), *world.primary.log_lines()]
    connection = await asyncpg.connect(world.standby.postgres.dsn)
    try:
        return (await import_log(connection, lines)).written
    finally:
        await connection.close()


async def _exported(database: Postgres, since: float) -> Iterator[str]:
    stream = io.BytesIO()
    connection = await asyncpg.connect(database.dsn)
    try:
        await export_rows(
            connection,
            stream,
            since=datetime.fromtimestamp(since, UTC),
            until=datetime.now(UTC),
        )
    finally:
        await connection.close()
    return iter(stream.getvalue().decode().splitlines())
