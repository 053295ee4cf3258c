"""GET /v1/limits and /v1/usage: what every caller may know of itself."""

from functools import partial
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from gateway.admin.csv_answer import wants_csv
from gateway.admin.fields import Given
from gateway.admin.front import Answer, Asked
from gateway.admin.invalid import valid_query
from gateway.admin.limits import check_model, limits_of, standing_of
from gateway.admin.usage import (
    NO_USAGE,
    GroupedQuery,
    Sums,
    UsagePage,
    check_grouping,
    dimensions_of,
    grouping_schema,
    sums_of,
    unix_seconds,
    usage_csv,
    usage_page,
)
from gateway.callers import Project
from gateway.catalog.names import ModelName
from gateway.ledger.reports import report

_DIMENSIONS = ("model", "operation")
_GroupBy = Annotated[
    str, AfterValidator(partial(check_grouping, _DIMENSIONS)), WithJsonSchema(grouping_schema(_DIMENSIONS))
]


class OwnLimitsQuery(Given):
    """model: with the limits on this model, too; else those on all models together."""

    model: ModelName | None = None


class OwnUsageQuery(GroupedQuery):
    """Which sums of one's own usage. An hour counts if it begins in the span of time."""

    group_by: _GroupBy | None = None


class OwnUsagePage(UsagePage):
    """One's own sums, and those of all callers of one's project over the whole span; null without one."""

    project: Sums | None


async def read_own_limits(asked: Asked) -> Answer:
    """Read one's own limits, and what is used of them."""
    query = valid_query(OwnLimitsQuery, asked.request.query)
    check_model(asked, query.model)
    return await standing_of(asked, limits_of(asked.caller, query.model))


async def read_own_usage(asked: Asked) -> Answer:
    """Sum one's own usage by models and intervals, as JSON or CSV."""
    query = valid_query(OwnUsageQuery, asked.request.query)
    own, rows = await usage_page(asked, query, {"caller": asked.caller.id})
    if wants_csv(asked, query.format):
        return await usage_csv(asked, dimensions_of(query.group_by), own, rows)
    project = asked.caller.project
    sums = None if project is None else await _sums(asked, project, own)
    return Answer(OwnUsagePage(**dict(own), project=sums))


async def _sums(asked: Asked, project: Project, span: UsagePage) -> Sums:
    found = await report(
        asked.parts.database,
        since=unix_seconds(span.since),
        until=unix_seconds(span.until),
        filters={"project": project.id},
    )
    return Sums(**sums_of(found[0])) if found else Sums(**NO_USAGE)
