"""gatehouse models, gatehouse deployments: what the gateway serves, and how it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from operations import values
from operations.commands import Command, Session, with_session

if TYPE_CHECKING:
    from operations.output import Shown


@click.command(
    "models",
    cls=Command,
    examples="""
    gatehouse models
    gatehouse models --json | jq -r '.[].name'""",
)
@with_session
def models(session: Session) -> None:
    """Show the models that the gateway serves, their deployments and list prices."""
    found = session.gateway.get("/models")["data"]
    session.show(found, lambda: _models(found))


@click.command("deployments", cls=Command, examples="gatehouse deployments")
@with_session
def deployments(session: Session) -> None:
    """Show how each deployment does now, as the process that answers sees it."""
    found = session.gateway.get("/deployments")["data"]
    session.show(found, lambda: _deployments(found))


def _models(found: Iterable[Mapping[str, Any]]) -> Shown:
    from operations.output import note, table, together

    rows = []
    for model in found:
        name = model["name"]
        for deployment in model["deployments"]:
            price = deployment["price"] or {}
            rows.append(
                (
                    name,
                    deployment["name"],
                    deployment["region"],
                    values.shown_usd(price.get("input_usd")),
                    values.shown_usd(price.get("output_usd")),
                    str(deployment["tier"]),
                    str(deployment["weight"]),
                    deployment["provider"],
                )
            )
            name = ""
    columns = ("Model", "Deployment", "!Region", ">Input", ">Output", "?Tier", "?Weight", "?Provider")
    drawn = table(*columns, rows=rows)
    return together(drawn, note("prices in USD per million tokens of input and output"))


def _deployments(found: Iterable[Mapping[str, Any]]) -> Shown:
    from operations.output import number, state, table

    rows = [
        (
            each["model"],
            each["name"],
            state(each["state"]),
            _reason(each),
            "-" if each["error_rate"] is None else f"{each['error_rate']:.0%}",
            number(each["in_flight"]),
            values.shown_seconds(each["latency_seconds"]),
            values.shown_seconds(each["time_to_first_token_seconds"]),
            each["last_error_code"],
        )
        for each in found
    ]
    columns = (
        "Model",
        "Deployment",
        "!State",
        "Until",
        ">Errors",
        ">In flight",
        ">?Latency",
        ">?First token",
    )
    return table(*columns, "?Last error", rows=rows)


def _reason(each: Mapping[str, Any]) -> str:
    if not each["cooling_until"]:
        return ""
    return f"{values.shown_time(each['cooling_until'], seconds=True)[len('11-21 ') :]} {each['cause']}"
