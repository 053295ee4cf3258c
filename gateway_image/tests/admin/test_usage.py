"""Usage in the admin API, and what callers are told of their own."""

import asyncio
import csv
import io
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from gateway.admin import requests as requests_module
from gateway.admin import usage as usage_module
from gateway.admin.csv_answer import csv_answer
from gateway.callers import Caller, Project
from gateway.ledger.row import UsageRow
from gateway.ledger.write import write_rows
from gateway.off_loop import LARGE_BYTES

pytestmark = pytest.mark.anyio

USAGE = "/admin/v1/usage"
REQUESTS = "/admin/v1/requests"
SPAN = {"since": "2026-03-01T00:00:00Z", "until": "2026-03-03T00:00:00Z"}
MEMBER = Caller("key_00000000000000aa", "reports", "key", project=Project("proj_00000000000000aa", "search"))
LONER = Caller("user:https://issuer.example#bob", "bob", "user")


def row(time: str, **fields: Any) -> UsageRow:
    usual: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "admitted_at": datetime.fromisoformat(time).timestamp(),
        "request_id": "req-1",
        "trace_id": None,
        "caller_id": MEMBER.id,
        "caller_name": "reports",
        "caller_kind": "key",
        "project_id": "proj_00000000000000aa",
        "operation": "chat_completions",
        "model": "claude",
        "model_served": "claude",
        "deployment": "claude-us",
        "provider": "bedrock",
        "account": "111122223333",
        "region": "us-east-1",
        "status": 200,
        "error_code": None,
        "streamed": False,
        "cached": False,
        "attempts": 1,
        "input_tokens": 100,
        "output_tokens": 10,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "usage_estimated": False,
        "cost_nano_usd": 1_500_000_001,
        "latency_ms": 200.0,
        "time_to_first_token_ms": None,
    }
    return UsageRow(**usual | fields)


ROWS = [
    row("2026-03-01T10:10:00.25+00:00", request_id="first"),
    row("2026-03-01T10:50:00+00:00", model="own", cost_nano_usd=None, status=502, error_code="upstream"),
    row("2026-03-02T23:59:59+00:00"),
    row("2026-03-02T01:00:00+00:00", caller_id=LONER.id, caller_name="=bob()", project_id=None),
    row("2026-03-03T00:00:00+00:00"),
]


@pytest.fixture
async def ledger(sql: asyncpg.Connection) -> None:
    assert await write_rows(sql, [msgspec.json.encode(each) for each in ROWS]) == len(ROWS)


async def test_the_sum_of_everything(api: Any, ledger: None) -> None:
    answer = await api.get(USAGE, **SPAN)
    assert answer.status == 200
    assert (answer.json["since"], answer.json["until"]) == (SPAN["since"], SPAN["until"])
    (total,) = answer.data
    assert total == {
        "requests": 4,
        "failed_requests": 1,
        "cached_requests": 0,
        "unpriced_requests": 1,
        "input_tokens": 400,
        "output_tokens": 40,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "cost_usd": 4.500000003,
        "mean_latency_ms": 200,
        "start": None,
        "group": {},
        "caller_name": None,
        "project_name": None,
    }


async def test_sums_by_dimensions_and_days(api: Any, ledger: None, sql: asyncpg.Connection) -> None:
    await sql.execute(
        "INSERT INTO projects (id, name, version) VALUES ($1, 'search', 1)", "proj_00000000000000aa"
    )
    answer = await api.get(USAGE, **SPAN, group_by="project,model,caller", interval="day")
    found = [
        (
            each["start"],
            each["group"]["project"],
            each["project_name"],
            each["group"]["model"],
            each["requests"],
        )
        for each in answer.data
    ]
    assert found == [
        ("2026-03-01T00:00:00Z", "proj_00000000000000aa", "search", "claude", 1),
        ("2026-03-01T00:00:00Z", "proj_00000000000000aa", "search", "own", 1),
        ("2026-03-02T00:00:00Z", "", None, "claude", 1),
        ("2026-03-02T00:00:00Z", "proj_00000000000000aa", "search", "claude", 1),
    ]
    assert answer.data[2]["caller_name"] == "=bob()"


async def test_sums_are_filtered(api: Any, ledger: None) -> None:
    for filters, requests in (
        ({"project_id": "proj_00000000000000aa"}, 3),
        ({"caller_id": LONER.id}, 1),
        ({"model": "own", "provider": "bedrock"}, 1),
        ({"model": "own", "caller_id": LONER.id}, None),
        ({"operation": "' OR ''='"}, None),
    ):
        data = (await api.get(USAGE, **SPAN, **filters)).data
        assert [each["requests"] for each in data] == ([] if requests is None else [requests])


async def test_sums_in_pages(api: Any, ledger: None) -> None:
    query = SPAN | {"group_by": "model", "interval": "hour", "limit": 2}
    first = (await api.get(USAGE, **query)).json
    assert (len(first["data"]), first["has_more"]) == (2, True)
    second = (await api.get(USAGE, **query, after=first["next"])).json
    assert (len(second["data"]), second["has_more"], second["next"]) == (2, False, None)
    assert len({(each["start"], each["group"]["model"]) for each in first["data"] + second["data"]}) == 4
    # A page is of the span of the first one.
    without_span = {name: value for name, value in query.items() if name not in SPAN}
    assert (await api.get(USAGE, **without_span, after=first["next"])).json == second


async def test_the_last_days_without_a_span(api: Any, ledger: None) -> None:
    answer = await api.get(USAGE)
    since, until = (datetime.fromisoformat(answer.json[name]) for name in ("since", "until"))
    assert (until - since).days == 30
    assert (since.minute, since.second) == (0, 0)
    assert abs(datetime.now(UTC) - until) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("since", "2026-03-03T00:00:00Z"),
        ("since", "2026-03-01"),
        ("since", "0001-01-01T00:00:00Z"),
        ("until", "1"),
        ("group_by", "colour"),
        ("group_by", "model,model"),
        ("group_by", "model,"),
        ("group_by", "caller_name) FROM usage --"),
        ("interval", "week"),
        ("project_id", "search"),
        ("model", "\x00"),
        ("format", "xml"),
        ("limit", "5001"),
        ("after", "LTE"),
    ],
)
async def test_queries_that_make_no_sense(api: Any, name: str, value: str) -> None:
    answer = await api.get(USAGE, **SPAN | {name: value})
    assert (answer.status, answer.error["param"]) == (400, name)


async def test_usage_as_csv(api: Any, ledger: None) -> None:
    answer = await api.get(USAGE, **SPAN, group_by="caller,model", format="csv", interval="month")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"] == 'attachment; filename="usage.csv"'
    assert "link" not in answer.headers
    assert answer.body.endswith(b"\r\n")
    lines = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    assert [(line["start"], line["caller"], line["model"], line["requests"]) for line in lines] == [
        ("2026-03-01T00:00:00Z", MEMBER.id, "claude", "2"),
        ("2026-03-01T00:00:00Z", MEMBER.id, "own", "1"),
        ("2026-03-01T00:00:00Z", LONER.id, "claude", "1"),
    ]
    assert [line["cost_usd"] for line in lines] == ["3.000000002", "0.000000000", "1.500000001"]
    # No spreadsheet runs it.
    assert lines[2]["caller_name"] == "'=bob()"


async def test_csv_by_the_accept_header_and_in_pages(api: Any, ledger: None) -> None:
    query = SPAN | {"group_by": "model", "limit": 1}
    first = await api.send("GET", USAGE, query=query, accept="text/html, text/csv;q=0.9")
    assert first.headers["content-type"].startswith("text/csv")
    link = first.headers["link"]
    assert link.startswith(f"<{USAGE}?since=2026-03-01T00%3A00%3A00Z&")
    assert link.endswith('>; rel="next"')
    after = link.partition("after=")[2].partition(">")[0]
    second = await api.send("GET", USAGE, query=query | {"after": after}, accept="text/csv")
    assert "own" in second.body.decode()
    assert "link" not in second.headers
    as_json = await api.send("GET", USAGE, query=query | {"format": "json"}, accept="text/csv")
    assert as_json.headers["content-type"] == "application/json"


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t=", "\r=", "\uff1d"])
async def test_no_cell_is_a_formula(api: Any, sql: asyncpg.Connection, beginning: str) -> None:
    name = beginning + 'HYPERLINK("http://evil.example","x")'
    await write_rows(sql, [msgspec.json.encode(row("2026-03-01T10:00:00+00:00", caller_name=name))])
    for path, query in ((USAGE, {"group_by": "caller"}), (REQUESTS, {})):
        answer = await api.get(path, **SPAN, **query, format="csv")
        (line,) = csv.DictReader(io.StringIO(answer.body.decode(), newline=""))
        assert line["caller_name"] == "'" + name


async def test_single_requests(api: Any, ledger: None) -> None:
    answer = await api.get(REQUESTS, **SPAN)
    assert [each["admitted_at"] for each in answer.data] == [
        "2026-03-02T23:59:59Z",
        "2026-03-02T01:00:00Z",
        "2026-03-01T10:50:00Z",
        "2026-03-01T10:10:00.250000Z",
    ]
    oldest, failed = answer.data[3], answer.data[2]
    assert (oldest["request_id"], oldest["cost_usd"], oldest["status"]) == ("first", 1.500000001, 200)
    assert (failed["cost_usd"], failed["error_code"], failed["deployment"]) == (None, "upstream", "claude-us")
    assert [each["id"] for each in (await api.get(REQUESTS, **SPAN, request_id="first")).data] == [
        oldest["id"]
    ]
    assert len((await api.get(REQUESTS, **SPAN, caller_id=LONER.id)).data) == 1


async def test_single_requests_in_pages(api: Any, ledger: None) -> None:
    seen: list[str] = []
    query: dict[str, Any] = SPAN | {"limit": 1}
    while True:
        page = (await api.get(REQUESTS, **query)).json
        seen += [each["id"] for each in page["data"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert seen == [each["id"] for each in (await api.get(REQUESTS, **SPAN)).data]
    assert len(seen) == 4
    for cursor in ("WzEsIngiXQ", "WyJhIiwiYiJd"):
        assert (await api.get(REQUESTS, **SPAN, after=cursor)).error["param"] == "after"


async def test_single_requests_as_csv(api: Any, ledger: None) -> None:
    answer = await api.get(REQUESTS, **SPAN, format="csv", model="own")
    (line,) = csv.DictReader(io.StringIO(answer.body.decode(), newline=""))
    assert (line["admitted_at"], line["cost_usd"], line["status"]) == ("2026-03-01T10:50:00.000Z", "", "502")


async def test_callers_see_their_own_usage(api: Any, ledger: None, sql: asyncpg.Connection) -> None:
    other = row("2026-03-01T00:00:00+00:00", caller_id="key_00000000000000bb", caller_name="other")
    await write_rows(sql, [msgspec.json.encode(other)])
    answer = await api.send("GET", "/v1/usage", caller=MEMBER, query=SPAN | {"group_by": "model"})
    assert [(each["group"]["model"], each["requests"]) for each in answer.data] == [("claude", 2), ("own", 1)]
    assert answer.json["project"]["requests"] == 4
    alone = await api.send("GET", "/v1/usage", caller=LONER, query=SPAN)
    assert ([each["requests"] for each in alone.data], alone.json["project"]) == ([1], None)
    for query in ({"caller_id": MEMBER.id}, {"project_id": "proj_00000000000000aa"}, {"group_by": "caller"}):
        refused = await api.send("GET", "/v1/usage", caller=LONER, query=query)
        assert refused.status == 400
    text = await api.send("GET", "/v1/usage", caller=LONER, query=SPAN | {"format": "csv"})
    assert text.body.decode().count("\r\n") == 2


async def test_a_project_that_used_nothing(api: Any) -> None:
    answer = await api.send("GET", "/v1/usage", caller=MEMBER)
    assert answer.json["data"] == []
    assert (answer.json["project"]["requests"], answer.json["project"]["cost_usd"]) == (0, 0)


async def test_reports_leave_connections_to_others(api: Any, ledger: None, sql: asyncpg.Connection) -> None:
    async with sql.transaction():
        await sql.execute("LOCK TABLE usage_hourly IN ACCESS EXCLUSIVE MODE")
        own = [asyncio.create_task(api.send("GET", "/v1/usage", caller=MEMBER)) for _ in range(6)]
        await _until_waiting(sql, 1)
        # Callers' reports leave room for admins', and those for all else that needs the database.
        assert (await api.get("/admin/v1/roles")).status == 200
        reports = [asyncio.create_task(api.get(USAGE)) for _ in range(6)]
        await _until_waiting(sql, 2)
        async with api.parts.database.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1
        assert not any(task.done() for task in (*own, *reports))
    for task in (*own, *reports):
        assert (await task).status == 200


async def _until_waiting(sql: asyncpg.Connection, sessions: int) -> None:
    async with asyncio.timeout(4):
        while await sql.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") < sessions:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_large_reports_are_made_beside_the_event_loop(
    api: Any, ledger: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def note(*arguments: Any) -> Any:
        threads.append(threading.current_thread())
        return csv_answer(*arguments)

    monkeypatch.setattr(usage_module, "csv_answer", note)
    monkeypatch.setattr(requests_module, "csv_answer", note)
    for path in (USAGE, REQUESTS):
        assert (await api.get(path, **SPAN, format="csv")).status == 200
    assert set(threads) == {threading.main_thread()}
    monkeypatch.setattr(usage_module, "ROW_BYTES", LARGE_BYTES)
    monkeypatch.setattr(requests_module, "ROW_BYTES", LARGE_BYTES)
    threads.clear()
    for path in (USAGE, REQUESTS):
        assert (await api.get(path, **SPAN, format="csv")).status == 200
    assert threading.main_thread() not in threads


async def test_requests_are_listed_without_sorting_all_of_them(sql: asyncpg.Connection) -> None:
    await sql.execute("SET enable_seqscan = off")
    plan = await sql.fetch(
        "EXPLAIN SELECT * FROM usage WHERE admitted_at >= '2026-03-01' AND admitted_at < '2026-04-01' "
        "ORDER BY admitted_at DESC, id DESC LIMIT 51"
    )
    assert "Sort" not in str(plan)
