"""What the ledger tells: sums by dimension and interval, and single requests."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec

from gateway.database.replica import read
from gateway.database.share import Connections
from gateway.ledger.dimensions import Dimension, column
from gateway.ledger.row import UsageRow

Interval = Literal["hour", "day", "month"]

MOST_ROWS = 10_000
_SECONDS = 10

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
    "cost_nano_usd",
)
_AS_TEXT = {"id": "id::text", "admitted_at": "extract(epoch FROM admitted_at)::double precision"}
# The columns of `usage` as the fields of UsageRow.
SELECTED = ", ".join(f"{_AS_TEXT.get(name, name)} AS {name}" for name in UsageRow.__struct_fields__)


class ReportRow(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the requests of one group in one interval.

    start: when the interval begins, in Unix seconds (UTC hours, days, months); None without an interval.
    group: by dimension; '' where requests have none, such as callers without a project.
    caller_name: the latest name of a caller, if the report is by caller.
    failed_requests: with a status from 400 on. unpriced_requests: of deployments without a price, so not in
    the cost. mean_latency_ms: of all requests.
    """

    start: int | None
    group: dict[str, str]
    caller_name: str | None
    requests: int
    failed_requests: int
    cached_requests: int
    unpriced_requests: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_nano_usd: int
    mean_latency_ms: float


class Position(msgspec.Struct, frozen=True):
    """Where a page of requests ended: the next one begins after this request."""

    admitted_at: float
    id: str


async def report(
    database: Connections,
    *,
    since: int,
    until: int,
    group_by: Sequence[Dimension] = (),
    filters: Mapping[Dimension, str] | None = None,
    interval: Interval | None = None,
    limit: int = 1000,
    offset: int = 0,
) -> list[ReportRow]:
    """Sum the usage of requests admitted in [since, until), in Unix seconds.

    The ledger sums by the hour: an hour counts if it begins in that span, so both ends are best full hours.
    Rows are ordered by start, then by the groups' names in the order of `group_by`; at most `limit` (10,000)
    are returned, from `offset` on: ask for one more than a page to learn whether there is another.
    Raises DatabaseError, and ValueError for an unknown dimension.
    """
    groups = [column(dimension) for dimension in group_by]
    parameters: list[Any] = [since, until]
    conditions = ["hour >= to_timestamp($1)", "hour < to_timestamp($2)"]
    conditions += _conditions(filters or {}, parameters)
    start = "NULL::bigint"
    if interval is not None:
        parameters.append(interval)
        start = f"extract(epoch FROM date_trunc(${len(parameters)}, hour, 'UTC'))::bigint"
    name = "max(caller_name)" if "caller_id" in groups else "NULL"
    parameters += [min(limit, MOST_ROWS), offset]
    # Names of columns are those of dimensions.COLUMNS; everything else is a parameter.
    statement = f"""
        SELECT {", ".join([f"{start} AS start", *groups, f"{name} AS name"])},
            {", ".join(f"coalesce(sum({each}), 0)::bigint AS {each}" for each in _SUMS)},
            coalesce(sum(latency_ms) / nullif(sum(requests), 0), 0)::double precision AS mean_latency_ms
        FROM usage_hourly WHERE {" AND ".join(conditions)}
        GROUP BY {", ".join(["1", *groups])} HAVING sum(requests) > 0
        ORDER BY {", ".join(["1", *groups])}
        LIMIT ${len(parameters) - 1} OFFSET ${len(parameters)}"""  # noqa: S608 (names of ours)
    rows = await read(database, lambda connection: connection.fetch(statement, *parameters, timeout=_SECONDS))
    return [
        ReportRow(
            start=row["start"],
            group={dimension: row[column(dimension)] for dimension in group_by},
            caller_name=row["name"],
            mean_latency_ms=row["mean_latency_ms"],
            **{each: row[each] for each in _SUMS},
        )
        for row in rows
    ]


async def requests(
    database: Connections,
    *,
    since: int,
    until: int,
    filters: Mapping[Dimension, str] | None = None,
    request_id: str | None = None,
    after: Position | None = None,
    limit: int = 100,
) -> list[UsageRow]:
    """Single requests admitted in [since, until), in Unix seconds, the newest first.

    Only those with `request_id`, which callers choose and may use twice. At most `limit` (10,000); the next
    page is `after` the last one's admitted_at and id. Requests older than the retention are gone.
    Raises DatabaseError, and ValueError for an unknown dimension or an ID that is no UUID.
    """
    parameters: list[Any] = [since, until]
    conditions = ["admitted_at >= to_timestamp($1)", "admitted_at < to_timestamp($2)"]
    conditions += _conditions(filters or {}, parameters)
    if request_id is not None:
        parameters.append(request_id)
        conditions.append(f"request_id = ${len(parameters)}")
    if after is not None:
        parameters += [after.admitted_at, UUID(after.id)]
        place = len(parameters)
        conditions.append(f"(admitted_at, id) < (to_timestamp(${place - 1}), ${place})")
    parameters.append(min(limit, MOST_ROWS))
    statement = f"""
        SELECT {SELECTED} FROM usage WHERE {" AND ".join(conditions)}
        ORDER BY usage.admitted_at DESC, usage.id DESC LIMIT ${len(parameters)}"""  # noqa: S608 (own text)
    rows = await read(database, lambda connection: connection.fetch(statement, *parameters, timeout=_SECONDS))
    return [UsageRow(**dict(row)) for row in rows]


def _conditions(filters: Mapping[Dimension, str], parameters: list[Any]) -> list[str]:
    conditions = []
    for dimension, value in filters.items():
        parameters.append(value)
        conditions.append(f"{column(dimension)} = ${len(parameters)}")
    return conditions
