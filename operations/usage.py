"""gatehouse usage: what was used and what it cost, from the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from operations import values
from operations.commands import Group, Session, with_session
from operations.errors import WrongUsageError
from operations.options import filters, since_option, until_option
from operations.usage_import import import_usage
from operations.usage_requests import requests

if TYPE_CHECKING:
    from operations.output import Shown

_DEFAULT_SPAN = timedelta(days=30)
_PAGE = 1000


class _DimensionsType(click.ParamType[Any]):
    """Dimensions, separated by commas."""

    name = "dimensions"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        if isinstance(value, list):
            return value
        found = [word.strip() for word in str(value).split(",")]
        for word in found:
            if word not in values.DIMENSIONS:
                self.fail(f"{word!r} is unknown; allowed: {', '.join(values.DIMENSIONS)}", param, ctx)
        return list(dict.fromkeys(found))


@click.group(
    "usage",
    cls=Group,
    shared=True,
    invoke_without_command=True,
    examples="""
    gatehouse usage
    gatehouse usage --since month --group-by caller --project search
    gatehouse usage --since 7d --interval day --group-by model --json
    gatehouse usage --since 2026-10-01 --until 2026-11-01 --group-by project,model --csv > october.csv""",
)
@since_option
@until_option
@click.option(
    "--group-by",
    type=_DimensionsType(),
    metavar="NAMES",
    help=f"A sum for each of them, separated by commas: {', '.join(values.DIMENSIONS)}. [project,model]",
)
@click.option(
    "--interval", type=click.Choice(["hour", "day", "month"]), help="A sum for each of them, in UTC."
)
@filters
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for spreadsheets.")
@click.pass_context
def usage(context: click.Context, /, **given: Any) -> None:
    """Show what was used and what it cost, of the last 30 days, by project and model.

    The ledger sums by the hour (UTC): hours that begin in the span of time count.
    """
    if context.invoked_subcommand is None:
        _show_usage(**given)
    elif any(given.values()):
        raise WrongUsageError(f"options belong behind `{context.invoked_subcommand}`")


usage.add_command(requests)
usage.add_command(import_usage)


@with_session
def _show_usage(
    session: Session,
    since: str | None,
    until: str | None,
    group_by: list[str] | None,
    interval: str | None,
    project: str | None,
    caller: str | None,
    as_csv: bool,
    **others: str | None,
) -> None:
    from operations import find

    now = datetime.now(UTC)
    query = {
        "since": _whole_hour(values.moment(since, now) if since else now - _DEFAULT_SPAN),
        # Named, so that all pages are of one span.
        "until": until or values.written(now),
        "group_by": ",".join(group_by or ("project", "model")),
        "interval": interval,
        "project_id": find.project_id(session.gateway, project) if project else None,
        "caller_id": caller,
        **others,
    }
    if as_csv:
        from operations.output import print_text

        for text in session.gateway.csv_pages("/usage", query):
            print_text(text)
        return
    found = list(session.gateway.pages("/usage", query, page_size=_PAGE))
    told = {"since": query["since"], "until": query["until"], "data": found}
    session.show(told, lambda: _table(told, group_by or ["project", "model"], interval))


def _whole_hour(at: datetime) -> str:
    return values.written(at.replace(minute=0, second=0, microsecond=0))


def _table(told: Mapping[str, Any], group_by: list[str], interval: str | None) -> Shown:
    from operations.output import bar, note, table, together

    rows = told["data"]
    most = max((row["cost_usd"] for row in rows), default=0.0)
    by_requests = not most
    if by_requests:
        most = max((row["requests"] for row in rows), default=1)
    drawn = table(
        *(["!Since"] if interval else []),
        *(name.replace("_", " ").capitalize() for name in group_by),
        ">Requests",
        ">Failed",
        ">Input",
        ">Output",
        ">USD",
        "!?",
        rows=(
            [
                *([_interval(row["start"], interval)] if interval else []),
                *(_group(row, name) for name in group_by),
                *_sums(row),
                bar((row["requests"] if by_requests else row["cost_usd"]) / most, alarming=False),
            ]
            for row in rows
        ),
        total=["Total", *[""] * (len(group_by) - (not interval)), *_sums(_total(rows)), ""] if rows else None,
    )
    span = f"{values.shown_time(told['since'])} to {values.shown_time(told['until'])}; tokens in and out"
    return together(drawn, note("\n".join([span, *_remarks(rows)])))


def _remarks(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    unpriced = sum(row["unpriced_requests"] for row in rows)
    if unpriced:
        yield f"{unpriced:,} requests of deployments without a price are not in the USD"


def _total(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    names = ("requests", "failed_requests", "input_tokens", "output_tokens", "cost_usd")
    return {name: sum(row[name] for row in rows) for name in names}


def _sums(row: Mapping[str, Any]) -> list[str]:
    from operations.output import number

    return [
        number(row["requests"]),
        number(row["failed_requests"]),
        values.shown_count(row["input_tokens"]),
        values.shown_count(row["output_tokens"]),
        values.shown_usd(row["cost_usd"]),
    ]


def _group(row: Mapping[str, Any], name: str) -> str:
    """A dimension's value, by the name for people where there is one."""
    return row.get(f"{name}_name") or row["group"].get(name) or "-"


def _interval(start: str, interval: str | None) -> str:
    length = {"hour": len("2026-11-01 09:30"), "day": len("2026-11-01"), "month": len("2026-11")}
    return values.shown_time(start)[: length[interval or "hour"]]
