"""What the ledger tells the admin API."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.database import Database
from gateway.database.errors import DatabaseUnavailableError
from gateway.ledger.encoding import encode
from gateway.ledger.reports import Position, report, requests
from gateway.ledger.row import UsageRow
from gateway.ledger.write import write_rows
from local.throwaway_servers import free_port

pytestmark = pytest.mark.anyio

DAY = int(datetime(2025, 11, 21, tzinfo=UTC).timestamp())
HOUR = 3600


@pytest.fixture
async def rows(database: Database, make_row: Callable[..., UsageRow]) -> list[UsageRow]:
    """Two callers over three hours of one day, and a request a month before."""
    rows = [
        make_row(admitted_at=DAY + 0.5, caller_id="key_1", request_id="a"),
        make_row(admitted_at=DAY + HOUR + 1.5, caller_id="key_1", model="nova", caller_name="renamed"),
        make_row(admitted_at=DAY + HOUR + 2.5, caller_id="key_2", project_id=None, status=500),
        make_row(admitted_at=DAY + 2 * HOUR, caller_id="key_2", project_id=None, cost_nano_usd=None),
        make_row(admitted_at=DAY - 30 * 86_400, caller_id="key_1", cached=True),
    ]
    async with database.connection() as connection:
        await write_rows(connection, [encode(row) for row in rows])
    return rows


async def test_everything_together(database: Database, rows: list[UsageRow]) -> None:
    (total,) = await report(database, since=0, until=DAY + 86_400)
    assert (total.start, total.group, total.caller_name) == (None, {}, None)
    assert (total.requests, total.failed_requests, total.cached_requests) == (5, 1, 1)
    assert (total.unpriced_requests, total.cost_nano_usd) == (1, 4000)
    assert (total.input_tokens, total.output_tokens, total.cache_read_tokens) == (50, 25, 15)
    assert (total.cache_write_tokens, total.reasoning_tokens, total.mean_latency_ms) == (10, 5, 20.0)
    assert await report(database, since=0, until=0) == []


async def test_groups_filters_and_intervals(database: Database, rows: list[UsageRow]) -> None:
    found = await report(
        database, since=DAY, until=DAY + 86_400, group_by=("caller", "model"), interval="hour"
    )
    assert [(row.start, *row.group.values(), row.caller_name, row.requests) for row in found] == [
        (DAY, "key_1", "claude", "ci", 1),
        (DAY + HOUR, "key_1", "nova", "renamed", 1),
        (DAY + HOUR, "key_2", "claude", "ci", 1),
        (DAY + 2 * HOUR, "key_2", "claude", "ci", 1),
    ]
    by_project = await report(database, since=0, until=DAY + 86_400, group_by=("project",), interval="month")
    october, november = (int(datetime(2025, month, 1, tzinfo=UTC).timestamp()) for month in (10, 11))
    assert [(row.start, row.group, row.requests) for row in by_project] == [
        (october, {"project": "proj_1"}, 1),
        (november, {"project": ""}, 2),
        (november, {"project": "proj_1"}, 2),
    ]
    of_one = await report(
        database, since=0, until=DAY + 86_400, filters={"caller": "key_1", "model": "nova"}, interval="day"
    )
    assert [(row.start, row.requests) for row in of_one] == [(DAY, 1)]


async def test_a_span_counts_the_hours_that_begin_in_it(database: Database, rows: list[UsageRow]) -> None:
    (found,) = await report(database, since=DAY + 1, until=DAY + 2 * HOUR)
    assert found.requests == 2


async def test_pages_of_a_report(database: Database, rows: list[UsageRow]) -> None:
    pages = [
        await report(
            database, since=DAY, until=DAY + 86_400, group_by=("caller",), interval="hour",
            limit=2, offset=offset,
        )
        for offset in (0, 2, 4)
    ]  # fmt: skip
    assert [len(page) for page in pages] == [2, 2, 0]


async def test_single_requests_page_by_page(database: Database, rows: list[UsageRow]) -> None:
    newest_first = sorted(rows, key=lambda row: -row.admitted_at)
    span: Any = {"since": 0, "until": DAY + 86_400}
    first = await requests(database, **span, limit=2)
    assert first == newest_first[:2]
    after = Position(first[-1].admitted_at, first[-1].id)
    assert await requests(database, **span, after=after) == newest_first[2:]
    assert await requests(database, **span, filters={"caller": "key_2"}) == newest_first[:2]
    assert await requests(database, **span, request_id="a") == [rows[0]]
    assert await requests(database, since=DAY, until=DAY + 1) == [rows[0]]


async def test_requests_of_the_same_moment_are_on_one_page_each(database: Database, make_row: Any) -> None:
    rows = [make_row(admitted_at=DAY + 0.123457) for _ in range(5)]
    async with database.connection() as connection:
        await write_rows(connection, [encode(row) for row in rows])
    found: list[UsageRow] = []
    after = None
    while page := await requests(database, since=DAY, until=DAY + 1, after=after, limit=2):
        found += page
        after = Position(page[-1].admitted_at, page[-1].id)
    assert sorted(row.id for row in found) == sorted(row.id for row in rows)


async def test_only_known_dimensions_become_part_of_a_statement(database: Database) -> None:
    wrong: Any = "model; DROP TABLE usage"
    with pytest.raises(ValueError, match="is no dimension of usage; known: project, caller"):
        await report(database, since=0, until=1, group_by=[wrong])
    with pytest.raises(ValueError, match="is no dimension of usage"):
        await requests(database, since=0, until=1, filters={wrong: "x"})
    assert await report(database, since=0, until=DAY, filters={"model": "'; DROP TABLE usage; --"}) == []
    with pytest.raises(ValueError, match="UUID"):
        await requests(database, since=0, until=1, after=Position(1.0, "no UUID"))


async def test_without_the_database(make_database: Callable[..., Database]) -> None:
    with pytest.raises(DatabaseUnavailableError):
        await report(make_database(free_port()), since=0, until=1)
