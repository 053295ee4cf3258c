import json
from datetime import UTC, datetime
from typing import Any

import click
import pytest

from gateway.ledger.dimensions import DIMENSIONS
from gateway.limits import Limits
from operations import values
from tests.operations.conftest import PROJECT, AdminStandIn, Reply, Run

NOW = datetime(2026, 11, 21, 9, 30, 15, tzinfo=UTC)
CSV = "text/csv; charset=utf-8; header=present"


def _sum(model: str, cost_usd: float, **more: Any) -> dict[str, Any]:
    return {
        "start": None,
        "group": {"project": PROJECT["id"], "model": model},
        "caller_name": None,
        "project_name": "search",
        "requests": 120_345,
        "failed_requests": 7,
        "cached_requests": 0,
        "unpriced_requests": 0,
        "input_tokens": 1_234_567,
        "output_tokens": 4_321,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "cost_usd": cost_usd,
        "mean_latency_ms": 812.0,
        **more,
    }


def test_usage_is_a_table_with_totals(admin: AdminStandIn, run: Run) -> None:
    admin.pages_of("/usage", _sum("sonnet", 30.0, unpriced_requests=3), _sum("nova", 7.5))
    lines = run("usage").stdout.splitlines()
    assert lines[0].split() == ["Project", "Model", "Requests", "Failed", "Input", "Output", "USD"]
    assert lines[2].split() == ["search", "sonnet", "120,345", "7", "1.23M", "4,321", "30.00", "█" * 10]
    assert lines[3].split() == ["search", "nova", "120,345", "7", "1.23M", "4,321", "7.50", "██▌"]
    total = next(line for line in lines if line.startswith("Total"))
    assert total.split() == ["Total", "240,690", "14", "2.47M", "8,642", "37.50"]
    assert "3 requests of deployments without a price are not in the USD" in lines[-1]
    assert admin.asked[0].query["group_by"] == "project,model"


def test_usage_by_day(admin: AdminStandIn, run: Run) -> None:
    admin.pages_of("/usage", _sum("sonnet", 0.0, start="2026-11-20T00:00:00Z"))
    result = run(
        "usage", "--interval", "day", "--group-by", "model", "--since", "7d", "--project", PROJECT["id"]
    )
    assert "2026-11-20  sonnet" in result.stdout
    query = admin.asked[0].query
    assert (query["interval"], query["group_by"], query["project_id"]) == ("day", "model", PROJECT["id"])
    # Sums are of whole hours: the one that has begun counts.
    assert query["since"].endswith(":00:00Z")


def test_programs_get_the_rows_and_the_span(admin: AdminStandIn, run: Run) -> None:
    rows = [_sum("sonnet", 30.0)]
    admin.pages_of("/usage", *rows)
    result = run("usage", "--since", "2026-10-01", "--until", "2026-11-01", "--json")
    assert json.loads(result.stdout) == {
        "since": "2026-10-01T00:00:00Z",
        "until": "2026-11-01T00:00:00Z",
        "data": rows,
    }


def test_no_usage_is_said(admin: AdminStandIn, run: Run) -> None:
    admin.pages_of("/usage")
    assert "none" in run("usage").stdout


def test_csv_pages_become_one_file(admin: AdminStandIn, run: Run) -> None:
    link = '</admin/v1/usage?format=csv&after=cursor-1>; rel="next"'
    admin.on(
        "GET",
        "/usage",
        Reply("start,model\r\n,sonnet\r\n", headers={"link": link}, content_type=CSV),
        Reply("start,model\r\n,nova\r\n", content_type=CSV),
    )
    assert run("usage", "--csv").stdout_bytes == b"start,model\r\n,sonnet\r\n,nova\r\n"
    assert [asked.query.get("after") for asked in admin.asked] == [None, "cursor-1"]
    assert {asked.query["until"] for asked in admin.asked} == {admin.asked[0].query["until"]}


def test_single_requests(admin: AdminStandIn, run: Run) -> None:
    row = {
        "id": "1",
        "admitted_at": "2026-11-21T09:30:12.345Z",
        "request_id": "req_of_a_caller",
        "caller_name": "search-prod",
        "model": "sonnet",
        "deployment": "sonnet-use1",
        "status": 429,
        "error_code": "rate_limit_exceeded",
        "cached": False,
        "input_tokens": 12_345,
        "output_tokens": 0,
        "cost_usd": None,
        "latency_ms": 3.2,
    }
    admin.pages_of("/requests", row)
    shown = run("usage", "requests", "--model", "sonnet", "--limit", "7").stdout
    for text in (
        "11-21 09:30:12Z",
        "search-prod",
        "429 rate_limit_exceeded",
        "12.3k",
        "3 ms",
        "req_of_a_caller",
    ):
        assert text in shown
    assert admin.asked[0].query == {"model": "sonnet", "limit": "7"}
    admin.on("GET", "/requests", Reply("id\r\n1\r\n", content_type=CSV))
    assert run("usage", "requests", "--csv").stdout_bytes == b"id\r\n1\r\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--group-by", "colour"], "allowed: project, caller, model"),
        (["--since", "soon"], "no moment; allowed: 7d"),
        (["--interval", "week"], "is not one of"),
        (["--model", "sonnet", "requests"], "options belong behind"),
    ],
)
def test_wrong_questions_are_not_asked(
    admin: AdminStandIn, run: Run, arguments: list[str], said: str
) -> None:
    result = run("usage", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert admin.asked == []


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90s", "2026-11-21T09:28:45Z"),
        ("24h", "2026-11-20T09:30:15Z"),
        ("2w", "2026-11-07T09:30:15Z"),
        ("today", "2026-11-21T00:00:00Z"),
        ("yesterday", "2026-11-20T00:00:00Z"),
        ("month", "2026-11-01T00:00:00Z"),
        ("now", "2026-11-21T09:30:15Z"),
        ("2026-11-01", "2026-11-01T00:00:00Z"),
        ("2026-11-01T09:30:00Z", "2026-11-01T09:30:00Z"),
        ("2026-11-01T09:30:00+02:00", "2026-11-01T07:30:00Z"),
        ("2026-11-01T09:30", "2026-11-01T09:30:00Z"),
    ],
)
def test_moments(text: str, meant: str) -> None:
    assert values.written(values.moment(text, NOW)) == meant


def test_a_span_to_come() -> None:
    assert values.written(values.moment("90d", NOW, future=True)) == "2027-02-19T09:30:15Z"


@pytest.mark.parametrize("text", ["", "7", "7y", "-1d", "999999w", "2026-13-01", "tomorrow", "10000-01-01"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no moment"):
        values.MomentType().convert(text, None, None)


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0"),
        (940, "940"),
        (9_999, "9,999"),
        (12_345, "12.3k"),
        (999_999, "1000k"),
        (1_000_000, "1M"),
        (4_560_000, "4.56M"),
        (10**13, "10T"),
    ],
)
def test_counts_are_short(count: int, shown: str) -> None:
    assert values.shown_count(count) == shown


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (None, "-"),
        (0.0, "0.00"),
        (0.000042, "0.000042"),
        (0.0418, "0.0418"),
        (812.456, "812.46"),
        (1e6, "1,000,000.00"),
    ],
)
def test_money_shows_its_first_digits(usd: float | None, shown: str) -> None:
    assert values.shown_usd(usd) == shown


def test_names_are_those_of_the_gateway() -> None:
    assert tuple(Limits.model_fields) == values.LIMIT_NAMES
    assert DIMENSIONS == values.DIMENSIONS
