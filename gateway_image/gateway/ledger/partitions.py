"""Months of the ledger: the next ones are made ahead, those past the retention are dropped."""

import asyncio
import random

from gateway.database import Database
from gateway.database.errors import DatabaseError
from gateway.structured_log import StructuredLog

_INTERVAL_SECONDS = 86_400
_RETRY_SECONDS = 60
# Rows may have to move to a new month.
_SECONDS = 25


async def keep_partitions(database: Database, log: StructuredLog, *, retention_months: int) -> None:
    """Look after the months at once and then every day, until cancelled.

    Every process does; the database lets one at a time.
    """
    while True:
        try:
            made, dropped = await change_partitions(database, retention_months=retention_months)
        except DatabaseError:
            # The writer tells that the database is away. Rows of a month that is not there go to the default.
            await asyncio.sleep(_RETRY_SECONDS)
            continue
        if made or dropped:
            log.write("info", "usage_months_changed", made=made, dropped=dropped)
        # Processes that started together do not come back together.
        await asyncio.sleep(_INTERVAL_SECONDS * random.uniform(0.9, 1))  # noqa: S311 (nothing secret)


async def change_partitions(database: Database, *, retention_months: int) -> tuple[list[str], list[str]]:
    """Make this month and the next two, drop those that ended more than that many months ago.

    Returns the names of the tables made and dropped; raises DatabaseError.
    """
    async with database.writing() as connection:
        made = await connection.fetchval("SELECT usage_add_months()", timeout=_SECONDS)
        dropped = await connection.fetchval(
            "SELECT usage_drop_months($1)", retention_months, timeout=_SECONDS
        )
    return made, dropped
