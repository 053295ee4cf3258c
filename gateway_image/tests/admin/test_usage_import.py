"""Rows that went to the log come back through the admin API."""

import json
import uuid
from typing import Any

import asyncpg
import pytest

from gateway.admin.invalid import BODY_LIMIT_BYTES
from gateway.ledger.row import UsageRow

pytestmark = pytest.mark.anyio

IMPORT = "/admin/v1/usage/import"
NOTHING = {"written": 0, "known": 0, "too_old": 0, "refused": [], "unreadable": []}


def line(**fields: Any) -> str:
    row: dict[str, Any] = dict.fromkeys(UsageRow.__struct_fields__)
    row |= dict.fromkeys(("request_id", "caller_id", "caller_name", "caller_kind", "operation", "model"), "x")
    row |= {name: 7 for name in row if name.endswith("_tokens")}
    row |= {"status": 200, "streamed": False, "cached": False, "attempts": 1, "usage_estimated": False}
    row |= {"id": str(uuid.uuid4()), "admitted_at": 1_772_359_800.25} | fields
    return json.dumps({"event": "usage_spilled", "reason": "the spool is full", "row": row})


async def test_rows_come_back_once_and_are_told(api: Any, sql: asyncpg.Connection) -> None:
    lines = [
        '{"event":"request"}',
        f"2026-03-01T10:10:01Z {line()}",
        line(),
        line(id="no UUID"),
        line()[:-20],
        "",
    ]
    first = await api.post(IMPORT, {"lines": lines}, x_request_id="req-1")
    assert first.status == 200
    assert first.json == NOTHING | {"written": 2, "refused": [4], "unreadable": [5]}
    again = await api.post(IMPORT, {"lines": lines})
    assert again.json == first.json | {"written": 0, "known": 2}
    assert await sql.fetchval("SELECT count(*) FROM usage") == 2
    assert await sql.fetchval("SELECT sum(requests) FROM usage_hourly") == 2
    # What changed nothing is not logged.
    (entry,) = (await api.get("/admin/v1/audit", object_type="usage")).data
    assert (entry["action"], entry["object_type"], entry["request_id"]) == ("import", "usage", "req-1")
    assert (entry["before"], entry["after"]) == (None, first.json)


async def test_lines_without_rows(api: Any) -> None:
    for lines in ([], [""], ["a whole log", "of something else"]):
        assert (await api.post(IMPORT, {"lines": lines})).json == NOTHING


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "lines"),
        ({"lines": "text"}, 400, "lines"),
        ({"lines": [1]}, 400, "lines[0]"),
        ({"lines": [], "more": 1}, 400, "more"),
        ({"lines": ["x" * BODY_LIMIT_BYTES]}, 413, None),
    ],
)
async def test_bodies_that_make_no_sense(api: Any, body: Any, status: int, param: str | None) -> None:
    answer = await api.post(IMPORT, body)
    assert (answer.status, answer.error["param"]) == (status, param)
