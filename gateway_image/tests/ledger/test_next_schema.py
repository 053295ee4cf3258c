"""Today's code on the schema of a later release: both serve while one replaces the other."""

import uuid
from typing import Any

import asyncpg
import pytest

from gateway.callers import Subject
from gateway.database import Database
from gateway.ledger import Ledger
from gateway.ledger.import_log import import_log
from gateway.ledger.partitions import change_partitions
from gateway.ledger.reports import report, requests
from gateway.ledger.sums import UsageSums
from gateway.migrations.privileges import TABLES
from gateway.structured_log import StructuredLog

pytestmark = pytest.mark.anyio


@pytest.fixture
async def next_schema(owner: asyncpg.Connection) -> None:
    """A step that adds a column of each kind to every table, a table and an index."""
    for table in set(TABLES) - {"alembic_version"}:
        await owner.execute(f"ALTER TABLE {table} ADD COLUMN added_text text, ADD COLUMN id_of_next bigint")
        await owner.execute(f"ALTER TABLE {table} ADD COLUMN added_flag boolean NOT NULL DEFAULT false")
    await owner.execute("CREATE TABLE added (name text NOT NULL)")
    await owner.execute("CREATE INDEX usage_added ON usage (added_text, admitted_at)")
    await owner.execute("UPDATE alembic_version SET version_num = '0099'")


@pytest.mark.usefixtures("next_schema")
async def test_the_ledger(
    database: Database,
    log: StructuredLog,
    owner: asyncpg.Connection,
    make_row: Any,
    assert_sums_are_those_of_the_rows: Any,
) -> None:
    ledger = Ledger(database, log, retention_months=13)
    row = make_row()
    ledger.record(row)
    await ledger.finish(60)
    assert ledger.spilled_rows == 0
    await assert_sums_are_those_of_the_rows(owner)
    await change_partitions(database, retention_months=13)
    span: Any = {"since": int(row.admitted_at) - 7200, "until": int(row.admitted_at) + 7200}
    assert [each.requests for each in await report(database, **span, group_by=("caller",))] == [1]
    assert [each.id for each in await requests(database, **span)] == [row.id]
    used = await UsageSums(database).used(Subject("caller", row.caller_id, None), int(row.admitted_at))
    assert used["requests_per_day"] == 1
    assert (await import_log(owner, [])).written == 0


@pytest.mark.usefixtures("next_schema")
async def test_months_made_on_the_next_schema(
    database: Database, owner: asyncpg.Connection, log: StructuredLog, make_row: Any
) -> None:
    """The function that makes them knows no column by name."""
    this_month = await owner.fetchval("SELECT 'usage_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')")
    await owner.execute(f"DROP TABLE {this_month}")
    ledger = Ledger(database, log, retention_months=13)
    ledger.record(make_row(id=str(uuid.uuid4())))
    await ledger.finish(60)
    assert await change_partitions(database, retention_months=13) == ([this_month], [])
    assert await owner.fetchval(f"SELECT count(*) FROM {this_month}") == 1
