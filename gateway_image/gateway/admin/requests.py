"""Single requests, from the ledger."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from gateway.admin.csv_answer import csv_answer, usd_text, wants_csv
from gateway.admin.fields import Told
from gateway.admin.front import Answer, Asked
from gateway.admin.invalid import valid_query
from gateway.admin.pages import Page, page, place
from gateway.admin.usage import ROW_BYTES, Filter, Filters, SpanQuery, filters_of, span_of, unix_seconds
from gateway.ledger import reports
from gateway.ledger.row import UsageRow
from gateway.limits import NANO_USD
from gateway.off_loop import off_loop

_UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


class _Position(msgspec.Struct, array_like=True):
    """Where a page ended, as callers give it back."""

    admitted_at: Annotated[float, msgspec.Meta(ge=0, le=1e11)]
    id: Annotated[str, msgspec.Meta(pattern=_UUID)]


class RequestsQuery(SpanQuery, Filters):
    """Which requests. request_id: callers choose it, and may use one twice."""

    request_id: Filter | None = None


class LedgerEntry(Told):
    """A request. It has no content: neither prompts nor answers are kept.

    cost_usd: null if the deployment has no price. usage_estimated: the provider did not tell the tokens.
    """

    id: str
    admitted_at: datetime
    request_id: str
    trace_id: str | None
    caller_id: str
    caller_name: str
    caller_kind: str
    project_id: str | None
    operation: str
    model: str
    model_served: str | None
    deployment: str | None
    provider: str | None
    account: str | None
    region: str | None
    status: int
    error_code: str | None
    streamed: bool
    cached: bool
    attempts: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    usage_estimated: bool
    cost_usd: float | None
    latency_ms: float | None
    time_to_first_token_ms: float | None


async def list_requests(asked: Asked) -> Answer:
    """List single requests, the newest first, as JSON or CSV."""
    query = valid_query(RequestsQuery, asked.request.query)
    since, until = span_of(query)
    after = place(_Position, query)
    rows = await reports.requests(
        asked.parts.database,
        since=unix_seconds(since),
        until=unix_seconds(until),
        filters=filters_of(query),
        request_id=query.request_id,
        after=None if after is None else reports.Position(after.admitted_at, after.id),
        limit=query.limit + 1,
    )
    work = len(rows) * ROW_BYTES
    told = await off_loop(work, page, rows, query, _told, lambda row: (row.admitted_at, row.id))
    if wants_csv(asked, query.format):
        return await off_loop(work, _csv, asked, told, rows)
    return Answer(told)


def _csv(asked: Asked, told: Page[LedgerEntry], rows: Sequence[UsageRow]) -> Answer:
    return csv_answer(asked, "requests", list(LedgerEntry.model_fields), _lines(told.data, rows), told.next)


def _told(row: UsageRow) -> LedgerEntry:
    values = msgspec.structs.asdict(row)
    cost = values.pop("cost_nano_usd")
    values["admitted_at"] = datetime.fromtimestamp(row.admitted_at, UTC)
    return LedgerEntry(**values, cost_usd=None if cost is None else cost / NANO_USD)


def _lines(entries: Sequence[LedgerEntry], rows: Sequence[UsageRow]) -> list[list[object]]:
    lines = []
    for entry, row in zip(entries, rows, strict=False):
        values: dict[str, object] = dict(entry)
        values["admitted_at"] = entry.admitted_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        values["cost_usd"] = usd_text(row.cost_nano_usd)
        lines.append(list(values.values()))
    return lines
