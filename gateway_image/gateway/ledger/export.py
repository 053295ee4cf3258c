"""Rows of the ledger as lines of a log, for a ledger that has not got them."""

from datetime import datetime

import asyncpg
import msgspec

from gateway.ledger import SPILLED_EVENT
from gateway.ledger.encoding import encode
from gateway.ledger.reports import SELECTED
from gateway.ledger.row import UsageRow
from gateway.structured_log import Stream

_BATCH_ROWS = 1000
_STATEMENT = f"""
    SELECT {SELECTED} FROM usage WHERE admitted_at >= $1 AND admitted_at < $2
    ORDER BY usage.admitted_at, usage.id
"""  # noqa: S608 (own text)


async def export_rows(
    connection: asyncpg.Connection, output: Stream, *, since: datetime, until: datetime
) -> int:
    """Write the rows of requests admitted in [since, until) as lines for `import_log`; returns how many.

    Errors of the database are asyncpg's; those of the output, for which no row is left out, are OSErrors.
    """
    count = 0
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        cursor = await connection.cursor(_STATEMENT, since, until)
        while rows := await cursor.fetch(_BATCH_ROWS):
            for row in rows:
                output.write(_line(UsageRow(**dict(row))))
            count += len(rows)
    return count


def _line(row: UsageRow) -> bytes:
    line = {"event": SPILLED_EVENT, "reason": "salvaged", "row": msgspec.Raw(encode(row))}
    return msgspec.json.encode(line) + b"\n"
