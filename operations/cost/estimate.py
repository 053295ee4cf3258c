"""A month's cost, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from gatehouse import names
from operations.assembly import Stack
from operations.cost.nodes import pod_uses
from operations.cost.prices import Prices
from operations.cost.quantities import Surroundings, is_known, uses
from operations.cost.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class Line:
    """What a stack uses of one item in a month, and what that costs."""

    stack: str
    item: str
    amount: float
    unit: str
    usd: float


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """An environment's lines, dearest first; `unpriced` are types of resources that nobody has judged."""

    lines: tuple[Line, ...]
    unpriced: tuple[str, ...]

    @property
    def usd(self) -> float:
        """The whole month."""
        return sum(line.usd for line in self.lines)

    @property
    def usd_by_stack(self) -> dict[str, float]:
        """The month by stack, dearest first."""
        stacks = dict.fromkeys((line.stack for line in self.lines), 0.0)
        for line in self.lines:
            stacks[line.stack] += line.usd
        return dict(sorted(stacks.items(), key=lambda each: -each[1]))


def estimate(
    stacks: Mapping[str, Stack], prices: Prices, traffic: Traffic, *, today: date | None = None
) -> Estimate:
    """Price all resources of an environment's stacks. Raises WrongUsageError for a node without a price.

    today: in UTC, for what costs more from a day on.
    """
    day = today or datetime.now(UTC).date()
    database_gb = _database_gb(stacks.values())
    found = [
        line
        for stack in stacks.values()
        for line in _lines(
            Surroundings(
                stack=stack,
                prices=prices,
                traffic=traffic.of_a_standby if _is_of_a_standby(stack) else traffic.of_a_primary,
                today=day,
                database_gb=database_gb,
            )
        )
    ]
    return Estimate(
        lines=tuple(sorted(found, key=lambda line: (-line.usd, line.stack, line.item))),
        unpriced=tuple(sorted(_unknown_types(stacks.values()))),
    )


def _is_of_a_standby(stack: Stack) -> bool:
    return stack.name.startswith(names.standby_stack(""))


def _database_gb(stacks: Iterable[Stack]) -> int:
    """The storage of the database that the others are replicas of."""
    databases = (database for stack in stacks for database in stack.of_type("AWS::RDS::DBInstance"))
    return max((int(each.properties.get("AllocatedStorage", 0)) for each in databases), default=0)


def _lines(around: Surroundings) -> Iterable[Line]:
    stack, prices, traffic = around.stack, around.prices, around.traffic
    of_resources = (use for resource in stack.resources.values() for use in uses(resource, around))
    amounts: dict[tuple[str, float, str], float] = {}
    for use in (*of_resources, *pod_uses(stack, prices, traffic)):
        priced = prices.items.get(use.item)
        unit = "hour" if priced is None else priced.unit
        usd = use.usd if use.usd is not None else prices.items[use.item].usd
        key = (use.item, usd, unit)
        amounts[key] = amounts.get(key, 0.0) + use.amount
    for (item, usd, unit), amount in amounts.items():
        yield Line(stack=stack.name, item=item, amount=amount, unit=unit, usd=amount * usd)


def _unknown_types(stacks: Iterable[Stack]) -> set[str]:
    return {
        resource.type
        for stack in stacks
        for resource in stack.resources.values()
        if not is_known(resource.type)
    }
