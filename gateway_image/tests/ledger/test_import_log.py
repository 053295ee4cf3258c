"""What went to the log comes back, once."""

import json
from typing import Any

import asyncpg
import msgspec
import pytest

from gateway.database import Database
from gateway.ledger import Ledger
from gateway.ledger.import_log import import_log
from gateway.structured_log import StructuredLog
from local.throwaway_servers import free_port

pytestmark = pytest.mark.anyio


async def test_spilled_rows_come_back_once(
    make_database: Any,
    database: Database,
    log: StructuredLog,
    lines: Any,
    owner: asyncpg.Connection,
    make_row: Any,
    assert_sums_are_those_of_the_rows: Any,
) -> None:
    away = Ledger(make_database(free_port()), log, retention_months=13)
    rows = [make_row(caller_name='Zoë \\ " usage_spilled') for _ in range(2500)]
    for row in rows:
        away.record(row)
    await away.finish(0)
    log.write("info", "request", path="/usage_spilled")
    there = Ledger(database, log, retention_months=13)
    there.record(rows[0])
    await there.finish(60)
    text = lines.getvalue().decode().splitlines()
    text[1] = f"2026-01-01T00:00:00 gateway/1 {text[1]}"
    first = await import_log(owner, text)
    assert (first.written, first.known, first.too_old, first.unreadable) == (2499, 1, 0, [])
    again = await import_log(owner, text)
    assert (again.written, again.known) == (0, 2500)
    assert await owner.fetchval("SELECT count(*) FROM usage") == 2500
    await assert_sums_are_those_of_the_rows(owner)


async def test_lines_that_hold_no_whole_row_are_named(owner: asyncpg.Connection) -> None:
    text = [
        '{"event":"serving"}',
        '{"event":"usage_spilled","row":{"id":"1"}}',
        '{"event":"usage_spilled","row":{"id":"1", "adm',
        "usage_spilled",
        "",
    ]
    imported = await import_log(owner, text)
    assert imported.unreadable == [2, 3, 4]
    assert imported.written == 0


async def test_rows_that_the_database_refuses_hold_no_others_up(
    owner: asyncpg.Connection, make_row: Any, assert_sums_are_those_of_the_rows: Any
) -> None:
    """Some are in the log because it refused them before."""
    rows = [msgspec.to_builtins(make_row()) for _ in range(40)]
    rows[3]["id"] = "no UUID"
    rows[17]["status"] = 2**40
    rows[39]["admitted_at"] = 1e300
    text = [json.dumps({"event": "usage_spilled", "row": row}) for row in rows]
    async with owner.transaction():
        imported = await import_log(owner, ["", *text])
    assert (imported.written, imported.refused) == (37, [5, 19, 41])
    assert (await import_log(owner, text)).known == 37
    await assert_sums_are_those_of_the_rows(owner)


async def test_rows_from_before_what_is_kept_are_not_counted_again(
    owner: asyncpg.Connection, make_row: Any
) -> None:
    await owner.execute("UPDATE usage_retention SET kept_since = '2025-11-01T00:00:00Z'")
    moments = (1_761_955_199.9, 1_761_955_200.0)
    text = [
        json.dumps({"event": "usage_spilled", "row": msgspec.to_builtins(make_row(admitted_at=moment))})
        for moment in moments
    ]
    imported = await import_log(owner, text)
    assert (imported.written, imported.too_old) == (1, 1)
