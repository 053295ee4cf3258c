"""gatehouse cost: what a month costs, and what two environments differ in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from operations.commands import Command, Session, with_session
from operations.configuration import environment_option
from operations.cost.traffic import Traffic
from operations.stacks import assembly_option

if TYPE_CHECKING:
    from operations.cost.estimate import Estimate
    from operations.cost.prices import Prices
    from operations.output import Shown

_NOT_INCLUDED = (
    "not included: models, tax, support plans, free tiers, committed use, traffic between zones, Container "
    "Insights, AWS Config, Security Hub, stored logs, a standby's copies of people who sign in, and nodes "
    "of a Kubernetes cluster that was there"
)
_DEFAULTS = Traffic()


def _assumption(
    name: str, kind: click.ParamType[Any], default: float, text: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(name, type=kind, default=default, show_default=True, help=text)


@click.command(
    "cost",
    cls=Command,
    asks_gateway=False,
    examples="""
    gatehouse cost --environment prod
    gatehouse cost --environment prod --requests 30000000 --answer-kb 12
    gatehouse cost --environment prod --compare dev
    gatehouse cost --environment prod --json | jq .usd""",
)
@environment_option
@click.option("--compare", metavar="ENVIRONMENT", help="Show another environment beside it.")
@assembly_option
@_assumption("--requests", click.IntRange(0), _DEFAULTS.requests, "Requests in a month.")
@_assumption("--request-kb", click.FloatRange(0), _DEFAULTS.request_kb, "The size of a request.")
@_assumption("--answer-kb", click.FloatRange(0), _DEFAULTS.answer_kb, "The size of an answer.")
@_assumption("--people", click.IntRange(0), _DEFAULTS.people, "People who sign in in a month.")
@with_session
def cost(
    session: Session,
    environment: str,
    compare: str | None,
    assembly: Path | None,
    requests: int,
    request_kb: float,
    answer_kb: float,
    people: int,
) -> None:
    """Estimate what an environment costs in a month, before models, from its templates."""
    from operations.cost.prices import read_prices

    prices = read_prices()
    traffic = Traffic(requests=requests, request_kb=request_kb, answer_kb=answer_kb, people=people)
    found = _estimate(environment, assembly, prices, traffic)
    facts = _facts(found, prices, traffic)
    if compare is None:
        session.show(facts, lambda: _table(found, prices, traffic))
        return
    other = _estimate(compare, None, prices, traffic)
    both = {environment: facts, compare: _facts(other, prices, traffic)}
    session.show(both, lambda: _comparison({environment: found, compare: other}, prices, traffic))


def _estimate(environment: str, assembly: Path | None, prices: Prices, traffic: Traffic) -> Estimate:
    from operations.assembly import read_stacks
    from operations.cost.estimate import estimate
    from operations.synthesis import assembly_of

    with assembly_of(environment, assembly) as folder:
        return estimate(read_stacks(folder), prices, traffic)


def _facts(found: Estimate, prices: Prices, traffic: Traffic) -> dict[str, Any]:
    return {
        "usd": round(found.usd, 2),
        "prices_as_of": prices.as_of,
        "prices_of_region": prices.region,
        "assumed": asdict(traffic),
        "usd_by_stack": {stack: round(usd, 2) for stack, usd in found.usd_by_stack.items()},
        "lines": [asdict(line) for line in found.lines],
        "unpriced_types": list(found.unpriced),
    }


def _table(found: Estimate, prices: Prices, traffic: Traffic) -> Shown:
    from operations.output import bar, number, table, together

    dearest = max((line.usd for line in found.lines), default=0.0) or 1.0
    rows = [
        (
            line.item.replace("_", " "),
            number(line.amount, digits=0 if line.amount >= 10 or float(line.amount).is_integer() else 2),
            line.unit,
            number(line.usd, digits=2),
            bar(line.usd / dearest, alarming=False),
            line.stack,
        )
        for line in found.lines
        if line.usd >= 0.005  # half a cent
    ]
    columns = ("What", ">Amount", "?Unit", ">USD a month", "?", "!Stack")
    total = ("together", "", "", number(found.usd, digits=2), "", "")
    return together(table(*columns, rows=rows, total=total), _assumptions([found], prices, traffic))


def _comparison(found: dict[str, Estimate], prices: Prices, traffic: Traffic) -> Shown:
    from operations.output import number, table, together

    first, second = found.values()
    stacks = dict.fromkeys([*first.usd_by_stack, *second.usd_by_stack])
    pairs = [
        (stack, first.usd_by_stack.get(stack, 0.0), second.usd_by_stack.get(stack, 0.0)) for stack in stacks
    ]
    rows = [
        (stack, number(one, digits=2), number(two, digits=2), f"{two - one:+,.2f}")
        for stack, one, two in pairs
    ]
    total = (
        "together",
        number(first.usd, digits=2),
        number(second.usd, digits=2),
        f"{second.usd - first.usd:+,.2f}",
    )
    columns = ("Stack", *(f">{name} USD" for name in found), ">Difference")
    return together(
        table(*columns, rows=rows, total=total), _assumptions(list(found.values()), prices, traffic)
    )


def _assumptions(found: list[Estimate], prices: Prices, traffic: Traffic) -> Shown:
    from operations.output import note, together

    unpriced = sorted({each for estimate in found for each in estimate.unpriced})
    return together(
        note(
            f"list prices of {prices.region}, {prices.as_of}; assumed: the least number of tasks or pods, "
            f"{traffic.requests:,} requests of {traffic.request_kb:g} kB, "
            f"answers of {traffic.answer_kb:g} kB, "
            f"{traffic.log_kb:g} kB of logs for each, {traffic.people} people, "
            f"{traffic.nat_gb:g} GB through NAT, {traffic.backup_gb:g} GB of backups"
        ),
        _of_standbys(found, traffic),
        _of_kubernetes(found, traffic),
        note(_NOT_INCLUDED),
        note(f"nobody has judged what these cost: {', '.join(unpriced)}") if unpriced else None,
    )


def _of_standbys(found: list[Estimate], traffic: Traffic) -> Shown | None:
    from operations.output import note

    if not any(line.item == "other_region_gb" for estimate in found for line in estimate.lines):
        return None
    return note(
        f"of a standby: no callers; copied to it are {traffic.change_gb:g} GB of the database's changes and "
        f"{traffic.objects_gb:g} GB of objects"
    )


def _of_kubernetes(found: list[Estimate], traffic: Traffic) -> Shown | None:
    from operations.cost.nodes import ASSUMPTION
    from operations.output import note

    if not any(line.item == "eks_cluster_hour" for estimate in found for line in estimate.lines):
        return None
    return note(f"on Kubernetes: {ASSUMPTION}, {traffic.cluster_log_gb:g} GB of the cluster's own logs")
