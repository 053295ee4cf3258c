"""What was used, from the ledger: sums by whom, model and time."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal, cast

import msgspec
from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.admin.csv_answer import csv_answer, usd_text, wants_csv
from gateway.admin.fields import CallerId, Given, ProjectId, Time, Told
from gateway.admin.front import Answer, Asked
from gateway.admin.invalid import invalid_field, valid_query
from gateway.admin.pages import Page, PageQuery, page, place
from gateway.admin.store import projects as project_store
from gateway.ledger.dimensions import COLUMNS, DIMENSIONS, Dimension
from gateway.ledger.reports import Interval, ReportRow, report
from gateway.limits import NANO_USD
from gateway.off_loop import off_loop

MOST_ROWS = 5000
# What a row of a report is worth as work, in bytes of a body: thousands would hold up the event loop.
ROW_BYTES = 400
_DEFAULT_SPAN = timedelta(days=30)
_SUMS = (
    "requests",
    "failed_requests",
    "cached_requests",
    "unpriced_requests",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
Filter = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]


def check_grouping(allowed: Sequence[str], value: str) -> str:
    """Names of dimensions, separated by commas; raises PydanticCustomError."""
    given = value.split(",")
    if len(set(given)) < len(given) or not set(given) <= set(allowed):
        raise PydanticCustomError("group_by", "{words}", {"words": _grouping_words(allowed)})
    return value


def grouping_schema(allowed: Sequence[str]) -> dict[str, Any]:
    """The same as a JSON Schema."""
    names = "|".join(allowed)
    return {"type": "string", "pattern": f"^({names})(,({names}))*$", "description": _grouping_words(allowed)}


def _grouping_words(allowed: Sequence[str]) -> str:
    return f"one or more of {', '.join(allowed)}, each once, separated by commas"


GroupBy = Annotated[
    str, AfterValidator(partial(check_grouping, DIMENSIONS)), WithJsonSchema(grouping_schema(DIMENSIONS))
]


class _Place(msgspec.Struct, array_like=True):
    """Where a page of sums begins. All pages are of one span, also if it was not said."""

    since: Annotated[datetime, msgspec.Meta(tz=True)]
    until: Annotated[datetime, msgspec.Meta(tz=True)]
    offset: Annotated[int, msgspec.Meta(ge=0, le=10**9)]


class SpanQuery(PageQuery):
    """When: from since on and before until; the last 30 days without them."""

    since: Time | None = None
    until: Time | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS, description="How many rows at most.")] = 1000
    format: Literal["json", "csv"] | None = None


class GroupedQuery(SpanQuery):
    """Which sums. An hour counts if it begins in the span of time."""

    interval: Interval | None = None
    group_by: GroupBy | None = None


class Filters(Given):
    """Whose usage, of what; all of them have to hold."""

    project_id: ProjectId | None = None
    caller_id: CallerId | None = None
    model: Filter | None = None
    model_served: Filter | None = None
    deployment: Filter | None = None
    provider: Filter | None = None
    account: Filter | None = None
    region: Filter | None = None
    operation: Filter | None = None


class UsageQuery(GroupedQuery, Filters):
    """Which sums. An hour counts if it begins in the span of time."""


class Sums(Told):
    """Sums over requests. Requests of deployments without a price (unpriced_requests) are not in cost_usd.

    failed_requests: with a status from 400 on. input_tokens: without those read from or written to a cache.
    reasoning_tokens: those of output_tokens that are reasoning.
    """

    requests: int
    failed_requests: int
    cached_requests: int
    unpriced_requests: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: float
    mean_latency_ms: float


class UsageSum(Sums):
    """The sums of one group in one interval, which begins at start (UTC); null without intervals.

    group: by the dimensions asked for, '' for requests that have none, such as callers without a project.
    """

    start: datetime | None
    group: dict[str, str]
    caller_name: str | None
    project_name: str | None


class UsagePage(Page[UsageSum]):
    """Sums, and the span of time that they are of."""

    since: datetime
    until: datetime


async def read_usage(asked: Asked) -> Answer:
    """Sum the usage by dimensions and intervals, as JSON or CSV."""
    query = valid_query(UsageQuery, asked.request.query)
    told, rows = await usage_page(asked, query, filters_of(query))
    if wants_csv(asked, query.format):
        return await usage_csv(asked, dimensions_of(query.group_by), told, rows)
    return Answer(told)


def filters_of(query: Filters) -> dict[Dimension, str]:
    """The filters that are set, by dimension."""
    return {name: value for name in DIMENSIONS if (value := getattr(query, COLUMNS[name])) is not None}


def span_of(query: SpanQuery) -> tuple[datetime, datetime]:
    """From when until when; raises InvalidFieldsError."""
    until = query.until or datetime.now(UTC)
    since = query.since or (until - _DEFAULT_SPAN).replace(minute=0, second=0, microsecond=0)
    if since >= until:
        raise invalid_field("since", since, "a time before until")
    return since, until


async def usage_page(
    asked: Asked, query: GroupedQuery, filters: Mapping[Dimension, str]
) -> tuple[UsagePage, list[ReportRow]]:
    """A page of sums as it is told, and as the ledger has it; raises GatewayError and DatabaseError."""
    begin = place(_Place, query) or _Place(*span_of(query), 0)
    group_by = dimensions_of(query.group_by)
    rows = await report(
        asked.parts.database,
        since=unix_seconds(begin.since),
        until=unix_seconds(begin.until),
        group_by=group_by,
        filters=filters,
        interval=query.interval,
        limit=query.limit + 1,
        offset=begin.offset,
    )
    names = await _project_names(asked, rows) if "project" in group_by else {}
    behind = _Place(begin.since, begin.until, begin.offset + query.limit)
    found = await off_loop(
        len(rows) * ROW_BYTES, page, rows, query, lambda row: _told(row, names), lambda _row: behind
    )
    return UsagePage(**dict(found), since=begin.since, until=begin.until), rows[: query.limit]


async def _project_names(asked: Asked, rows: Sequence[ReportRow]) -> dict[str, str]:
    ids = list({row.group["project"] for row in rows})
    async with asked.parts.database.connection() as connection:
        return await project_store.names(connection, ids)


def _told(row: ReportRow, project_names: Mapping[str, str]) -> UsageSum:
    return UsageSum(
        start=None if row.start is None else datetime.fromtimestamp(row.start, UTC),
        group=row.group,
        caller_name=row.caller_name,
        project_name=project_names.get(row.group.get("project", "")),
        **sums_of(row),
    )


def sums_of(row: ReportRow) -> dict[str, Any]:
    """The fields of Sums."""
    return {
        **{name: getattr(row, name) for name in _SUMS},
        "cost_usd": row.cost_nano_usd / NANO_USD,
        "mean_latency_ms": row.mean_latency_ms,
    }


async def usage_csv(
    asked: Asked, dimensions: Sequence[Dimension], told: UsagePage, rows: Sequence[ReportRow]
) -> Answer:
    """A page of sums as CSV; money is exact there."""
    return await off_loop(len(rows) * ROW_BYTES, _usage_csv, asked, dimensions, told, rows)


def _usage_csv(
    asked: Asked, dimensions: Sequence[Dimension], told: UsagePage, rows: Sequence[ReportRow]
) -> Answer:
    names = [
        name
        for name, dimension in (("project_name", "project"), ("caller_name", "caller"))
        if dimension in dimensions
    ]
    columns = ["start", *dimensions, *names, *_SUMS, "cost_usd", "mean_latency_ms"]
    lines = [
        [
            "" if entry.start is None else entry.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            *(entry.group[dimension] for dimension in dimensions),
            *(getattr(entry, name) for name in names),
            *(getattr(entry, name) for name in _SUMS),
            usd_text(row.cost_nano_usd),
            round(entry.mean_latency_ms, 3),
        ]
        for entry, row in zip(told.data, rows, strict=True)
    ]
    return csv_answer(asked, "usage", columns, lines, told.next)


def dimensions_of(group_by: str | None) -> list[Dimension]:
    """What a valid `group_by` names."""
    # Checked when the query was read.
    return cast("list[Dimension]", group_by.split(",")) if group_by else []


def unix_seconds(moment: datetime) -> int:
    """The first whole second from a time on: the ledger is asked by seconds, and spans in a row miss none."""
    return math.ceil(moment.timestamp())


NO_USAGE: dict[str, Any] = dict.fromkeys(_SUMS, 0) | {"cost_usd": 0, "mean_latency_ms": 0}
