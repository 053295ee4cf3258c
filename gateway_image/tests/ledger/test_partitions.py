"""Months of the ledger come and go; sums stay."""

import datetime
from typing import Any

import asyncpg
import pytest

from gateway.database import Database
from gateway.database.errors import DatabaseUnavailableError, StatementRefusedError
from gateway.ledger.encoding import encode
from gateway.ledger.partitions import change_partitions
from gateway.ledger.write import write_rows

pytestmark = pytest.mark.anyio


async def months(owner: asyncpg.Connection) -> list[str]:
    rows = await owner.fetch(
        "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid "
        "WHERE inhparent = 'usage'::regclass ORDER BY 1"
    )
    return [row["relname"] for row in rows]


async def now(owner: asyncpg.Connection) -> datetime.datetime:
    """The month by the database's clock, not this machine's."""
    moment: datetime.datetime = await owner.fetchval("SELECT date_trunc('month', now(), 'UTC')")
    return moment


def table(month: datetime.datetime, months_later: int = 0) -> str:
    year, number = divmod(month.year * 12 + month.month - 1 + months_later, 12)
    return f"usage_{year:04}_{number + 1:02}"


async def test_months_are_made_ahead(database: Database, owner: asyncpg.Connection) -> None:
    month = await now(owner)
    expected = [table(month, later) for later in range(3)]
    assert await months(owner) == sorted([*expected, "usage_default"])
    assert await change_partitions(database, retention_months=13) == ([], [])
    await owner.execute(f"DROP TABLE {expected[2]}")
    assert await change_partitions(database, retention_months=13) == ([expected[2]], [])
    assert await months(owner) == sorted([*expected, "usage_default"])


async def test_rows_wait_in_the_default_table_until_their_month_is_made(
    database: Database, owner: asyncpg.Connection, make_row: Any
) -> None:
    month = await now(owner)
    row = encode(make_row(admitted_at=month.timestamp()))
    await owner.execute(f"DROP TABLE {table(month)}")
    async with database.connection() as connection:
        assert await write_rows(connection, [row]) == 1
        assert await owner.fetchval("SELECT count(*) FROM usage_default") == 1
        assert await connection.fetchval("SELECT usage_add_months()") == [table(month)]
        assert await owner.fetchval("SELECT count(*) FROM usage_default") == 0
        assert await owner.fetchval(f"SELECT count(*) FROM {table(month)}") == 1
        # It is known there too.
        assert await write_rows(connection, [row]) == 0


async def test_months_past_the_retention_are_dropped(
    database: Database, owner: asyncpg.Connection, make_row: Any
) -> None:
    month = await now(owner)
    for months_ago in (1, 2, 3):
        begin = f"('{month}'::timestamptz - interval '{months_ago} months')"
        limits = await owner.fetchrow(f"SELECT {begin}::text AS a, ({begin} + interval '1 month')::text AS b")
        await owner.execute(
            f"CREATE TABLE {table(month, -months_ago)} PARTITION OF usage "
            f"FOR VALUES FROM ('{limits['a']}') TO ('{limits['b']}')"
        )
    oldest = await owner.fetchval(
        "SELECT extract(epoch FROM $1::timestamptz - interval '4 months')::float8", month
    )
    rows = [make_row(admitted_at=month.timestamp() - 86_400 * days) for days in (1, 40, 80)]
    rows.append(make_row(admitted_at=oldest))
    async with database.connection() as connection:
        await write_rows(connection, [encode(row) for row in rows])
    made, dropped = await change_partitions(database, retention_months=1)
    assert (made, dropped) == ([], [table(month, -3), table(month, -2)])
    kept = await owner.fetch("SELECT id::text FROM usage")
    assert [row["id"] for row in kept] == [rows[0].id]
    assert await owner.fetchval("SELECT sum(requests) FROM usage_hourly") == 4
    assert await owner.fetchval("SELECT sum(requests) FROM usage_monthly") == 4
    kept_since = await owner.fetchval("SELECT kept_since FROM usage_retention")
    assert table(kept_since) == table(month, -1)
    # A longer retention does not bring back what is gone.
    await change_partitions(database, retention_months=13)
    assert await owner.fetchval("SELECT kept_since FROM usage_retention") == kept_since


async def test_the_present_cannot_be_dropped(database: Database) -> None:
    with pytest.raises(StatementRefusedError):
        await change_partitions(database, retention_months=0)


async def test_one_process_at_a_time_looks_after_them(database: Database, owner: asyncpg.Connection) -> None:
    """Others do not wait, and do nothing."""
    month = await now(owner)
    await owner.execute(f"DROP TABLE {table(month, 2)}")
    async with owner.transaction():
        assert await owner.fetchval("SELECT usage_add_months()") == [table(month, 2)]
        assert await change_partitions(database, retention_months=13) == ([], [])


async def test_what_is_in_use_is_left_for_later(database: Database, owner: asyncpg.Connection) -> None:
    """Requests never wait behind the upkeep for a long report."""
    month = await now(owner)
    await owner.execute(f"DROP TABLE {table(month, 2)}")
    async with owner.transaction():
        await owner.execute("LOCK TABLE usage_default IN ACCESS SHARE MODE")
        with pytest.raises(DatabaseUnavailableError) as raised:
            await change_partitions(database, retention_months=13)
    assert raised.value.sqlstate == "55P03"
    assert await change_partitions(database, retention_months=13) == ([table(month, 2)], [])
