"""gatehouse usage requests: single requests, from the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from operations import values
from operations.commands import Command, Session, with_session
from operations.options import filters, since_option, until_option

if TYPE_CHECKING:
    from operations.output import Shown

_DEFAULT_ROWS = 50


@click.command(
    "requests",
    cls=Command,
    examples="""
    gatehouse usage requests --since 1h
    gatehouse usage requests --request-id req_0123 --json
    gatehouse usage requests --project search --since 7d --limit 100000 --csv > requests.csv""",
)
@since_option
@until_option
@filters
@click.option("--request-id", metavar="ID", help="Only requests of this ID; callers may choose it.")
@click.option("--limit", type=click.IntRange(min=1), default=_DEFAULT_ROWS, show_default=True)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for spreadsheets.")
@with_session
def requests(
    session: Session, project: str | None, caller: str | None, limit: int, as_csv: bool, **others: str | None
) -> None:
    """Show single requests of the last 30 days, the newest first.

    The ledger holds no prompt and no answer.
    """
    from operations import find

    query = {
        "project_id": find.project_id(session.gateway, project) if project else None,
        "caller_id": caller,
        **others,
    }
    if as_csv:
        from operations.output import print_text

        for text in session.gateway.csv_pages("/requests", query, at_most=limit):
            print_text(text)
        return
    found = list(session.gateway.pages("/requests", query, at_most=limit))
    session.show(found, lambda: _table(found))


def _table(found: Iterable[Mapping[str, Any]]) -> Shown:
    from operations.output import table

    rows = [
        (
            values.shown_time(row["admitted_at"], seconds=True),
            row["caller_name"],
            row["model"],
            _status(row),
            values.shown_count(row["input_tokens"]),
            values.shown_count(row["output_tokens"]),
            values.shown_usd(row["cost_usd"]),
            values.shown_seconds(None if row["latency_ms"] is None else row["latency_ms"] / 1000),
            row["deployment"],
            row["request_id"],
        )
        for row in found
    ]
    columns = ("!At", "Caller", "Model", "Status", ">Input", ">Output", ">USD", ">?Took", "?Deployment")
    return table(*columns, "?Request ID", rows=rows)


def _status(row: Mapping[str, Any]) -> str:
    return f"{row['status']} {row['error_code'] or ('cached' if row['cached'] else '')}".strip()
