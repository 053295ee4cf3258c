"""Rows come into the ledger once, with their sums."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec
import pytest

from gateway.database import Database
from gateway.ledger import Ledger
from gateway.ledger.encoding import encode
from gateway.ledger.spool import Spool
from gateway.ledger.write import write_rows
from gateway.structured_log import StructuredLog
from local.throwaway_servers import Postgres

pytestmark = pytest.mark.anyio

LIMIT_SECONDS = 60


async def test_a_row_is_kept_as_it_was_recorded(
    database: Database, log: StructuredLog, owner: asyncpg.Connection, make_row: Any
) -> None:
    ledger = Ledger(database, log, retention_months=13)
    row = make_row(
        admitted_at=1_763_719_200.123456,
        trace_id="0af7651916cd43dd8448eb211c80319c",
        error_code="overloaded",
        status=529,
        time_to_first_token_ms=1.5,
        account="111111111111",
        caller_name="Zoë \U0001f600 'quoted' \\ \"",
    )
    ledger.record(row)
    assert ledger.spooled_rows == 1
    assert ledger.spooled_bytes == len(encode(row))
    await ledger.finish(LIMIT_SECONDS)
    assert (ledger.spooled_rows, ledger.spooled_bytes, ledger.spilled_rows) == (0, 0, 0)
    found = dict(await owner.fetchrow("SELECT *, extract(epoch FROM admitted_at)::text AS at FROM usage"))
    assert found.pop("at") == "1763719200.123456"
    expected = msgspec.structs.asdict(row)
    for each in ("id", "admitted_at"):
        found[each] = expected[each] = str(expected[each]) if each == "id" else None
    assert found == expected


async def test_sums_are_by_hour_and_month_and_of_what_is_new_only(
    database: Database, owner: asyncpg.Connection, make_row: Any, assert_sums_are_those_of_the_rows: Any
) -> None:
    last_second_of_october = 1_761_955_199.0
    rows = [
        make_row(admitted_at=last_second_of_october),
        make_row(admitted_at=last_second_of_october, status=500, cost_nano_usd=None, latency_ms=None),
        make_row(admitted_at=last_second_of_october + 1, cached=True, project_id=None),
    ]
    encoded = [encode(row) for row in rows]
    async with database.connection() as connection:
        assert await write_rows(connection, encoded[:1]) == 1
        assert await write_rows(connection, [*encoded, encoded[2]]) == 2
        assert await write_rows(connection, encoded) == 0
        assert await write_rows(connection, []) == 0
    hours = await owner.fetch("SELECT * FROM usage_hourly ORDER BY hour")
    assert [hour["hour"].isoformat() for hour in hours] == [
        "2025-10-31T23:00:00+00:00",
        "2025-11-01T00:00:00+00:00",
    ]
    first, second = hours
    assert (first["requests"], first["failed_requests"], first["unpriced_requests"]) == (2, 1, 1)
    assert (first["cost_nano_usd"], first["latency_ms"], first["input_tokens"]) == (1000, 20.0, 20)
    assert (second["requests"], second["cached_requests"], second["project_id"]) == (1, 1, "")
    months = await owner.fetch("SELECT * FROM usage_monthly ORDER BY month")
    assert [(month["month"].isoformat(), month["requests"]) for month in months] == [
        ("2025-10-01T00:00:00+00:00", 2),
        ("2025-11-01T00:00:00+00:00", 1),
    ]
    await assert_sums_are_those_of_the_rows(owner)


async def test_several_writers_of_the_same_rows_write_each_once(
    make_database: Callable[..., Database],
    shared_server: Postgres,
    name: str,
    owner: asyncpg.Connection,
    make_row: Any,
    assert_sums_are_those_of_the_rows: Any,
) -> None:
    """Writers that share hours, rows and batches in every order, at the same time; none may deadlock."""
    rows = [
        encode(make_row(caller_id=f"key_{number % 7}", model=f"model-{number % 5}")) for number in range(600)
    ]

    async def write(seed: int) -> int:
        order = random.Random(seed)
        database = make_database(shared_server.port, name)
        written = 0
        for _ in range(3):
            mixed = order.sample(rows, len(rows))
            for start in range(0, len(mixed), 100):
                async with database.connection() as connection:
                    written += await write_rows(connection, mixed[start : start + 100])
        return written

    async with asyncio.timeout(LIMIT_SECONDS):
        written = await asyncio.gather(*(write(seed) for seed in range(6)))
    assert sum(written) == len(rows)
    assert await owner.fetchval("SELECT count(*) FROM usage") == len(rows)
    await assert_sums_are_those_of_the_rows(owner)


async def test_writers_that_share_hours_never_deadlock(
    connect: Callable[[], Awaitable[asyncpg.Connection]],
    owner: asyncpg.Connection,
    make_row: Any,
    assert_sums_are_those_of_the_rows: Any,
) -> None:
    """Each batch changes many sums, and every other writer changes the same ones."""

    async def write(seed: int) -> None:
        order = random.Random(seed)
        connection = await connect()
        for _ in range(10):
            rows = [
                encode(make_row(caller_id=f"key_{order.randrange(9)}", model=f"m{order.randrange(9)}"))
                for _ in range(200)
            ]
            assert await write_rows(connection, rows) == 200
        await connection.close()

    async with asyncio.timeout(LIMIT_SECONDS):
        await asyncio.gather(*(write(seed) for seed in range(5)))
    await assert_sums_are_those_of_the_rows(owner)


async def test_several_ledgers_keep_writing(
    make_database: Callable[..., Database],
    shared_server: Postgres,
    name: str,
    owner: asyncpg.Connection,
    log: StructuredLog,
    make_row: Any,
    assert_sums_are_those_of_the_rows: Any,
) -> None:
    async def run(number: int) -> None:
        ledger = Ledger(make_database(shared_server.port, name), log, retention_months=13)
        writing = asyncio.create_task(ledger.keep_writing())
        for _ in range(2500):
            ledger.record(make_row(caller_id=f"key_{number % 2}"))
            await asyncio.sleep(0)
        while ledger.spooled_rows:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        writing.cancel()
        await asyncio.wait([writing])
        ledger.record(make_row())
        await ledger.finish(LIMIT_SECONDS)

    async with asyncio.timeout(LIMIT_SECONDS):
        await asyncio.gather(*(run(number) for number in range(4)))
    assert await owner.fetchval("SELECT count(*) FROM usage") == 4 * 2501
    await assert_sums_are_those_of_the_rows(owner)


async def test_a_row_that_the_database_refuses_does_not_block_others(
    database: Database, log: StructuredLog, lines: Any, owner: asyncpg.Connection, make_row: Any
) -> None:
    ledger = Ledger(database, log, retention_months=13)
    rows = [make_row() for _ in range(40)]
    bad = [make_row(id="no UUID", request_id="bad-1"), make_row(input_tokens=2**63, request_id="bad-2")]
    for row in [*rows[:7], bad[0], *rows[7:25], bad[1], *rows[25:]]:
        ledger.record(row)
    await ledger.finish(LIMIT_SECONDS)
    assert await owner.fetchval("SELECT count(*) FROM usage") == len(rows)
    spilled = lines.events("usage_spilled")
    assert [line["row"]["request_id"] for line in spilled] == ["bad-1", "bad-2"]
    assert "InvalidTextRepresentationError (22P02)" in spilled[0]["reason"]
    assert ledger.spilled_rows == 2
    assert ledger.is_writable


async def test_a_refused_row_that_an_outage_left_alone_ends_the_outage(
    database: Database, log: StructuredLog, lines: Any, make_row: Any
) -> None:
    ledger = Ledger(database, log, retention_months=13)
    ledger.is_writable = False
    ledger.record(make_row(id="no UUID"))
    await ledger.finish(LIMIT_SECONDS)
    assert ledger.is_writable
    assert len(lines.events("ledger_writable")) == 1


async def test_text_that_postgresql_cannot_hold_is_replaced(
    database: Database, log: StructuredLog, owner: asyncpg.Connection, make_row: Any
) -> None:
    ledger = Ledger(database, log, retention_months=13)
    ledger.record(make_row(caller_name="a\0b", model="c\ud800d"))
    await ledger.finish(LIMIT_SECONDS)
    assert tuple(await owner.fetchrow("SELECT caller_name, model FROM usage")) == ("a�b", "c?d")


async def test_missing_rights_are_an_outage_and_not_the_rows_fault(
    database: Database, log: StructuredLog, owner: asyncpg.Connection, make_row: Any
) -> None:
    """As between the start of a new release and the end of its migration."""
    ledger = Ledger(database, log, retention_months=13)
    await owner.execute("REVOKE INSERT ON usage FROM serving")
    ledger.record(make_row())
    async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(ledger.keep_writing())
        while ledger.is_writable:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert ledger.spooled_rows == 1
        await owner.execute("GRANT INSERT ON usage TO serving")
        while ledger.spooled_rows:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        writing.cancel()
    assert await owner.fetchval("SELECT count(*) FROM usage") == 1


def test_a_spool_has_bounds_and_an_order() -> None:
    spool = Spool(most_rows=3, most_bytes=10)
    assert [spool.add(row) for row in (b"1111", b"22222", b"33", b"4")] == [True, True, False, True]
    assert not spool.add(b"")
    assert (len(spool), spool.bytes) == (3, 10)
    assert spool.batch(2) == [b"1111", b"22222"]
    spool.remove(2)
    assert (spool.batch(9), spool.bytes) == ([b"4"], 1)
    assert spool.take() == b"4"
    assert (spool.batch(9), spool.bytes) == ([], 0)


def test_a_batch_is_bounded_in_bytes_but_holds_a_row() -> None:
    spool = Spool()
    row = bytes(3 * 1024 * 1024)
    for _ in range(3):
        spool.add(row)
    assert len(spool.batch(1000)) == 1
