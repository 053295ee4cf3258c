"""What goes wrong in a drill: ten scenarios, each told by its number."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from local.region_switch.blocks import Mode

Fault = Literal[
    "killed",
    "cut off",
    "database hangs",
    "gateways hang",
    "replica lags",
    "primary returns",
    "cache dies first",
    "step fails",
    "operator dies",
    "database slows",
]

TOLD: Mapping[Fault, str] = {
    "killed": "every process of the primary is killed at once",
    "cut off": "no packet goes in or out of the primary; everything inside lives on",
    "database hangs": "the primary's database takes connections and answers nothing",
    "gateways hang": "the primary's gateways take connections and answer nothing",
    "replica lags": "the primary is killed while the replica is seconds behind",
    "primary returns": "the primary is cut off, and is back in the middle of the failover",
    "cache dies first": "the primary's cache is killed, and everything else soon after",
    "step fails": "the primary is killed, and the promotion of the replica fails twice",
    "operator dies": "the primary is cut off, and the operator's process is killed during the failover",
    "database slows": "the primary's database stands still nine tenths of the time",
}
SEEDS = range(len(TOLD))
# Callers and health checks go on being answered: somebody reads an alarm, and decides.
_NOTICED_BY_PEOPLE: frozenset[Fault] = frozenset({"database hangs", "database slows"})
_KILLS: frozenset[Fault] = frozenset({"killed", "replica lags", "cache dies first", "step fails"})


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One drill.

    seconds_before: of load before the fault. seconds_after: of load once the plan has ended. callers: how
    many ask at the same time. gateways: of a region that serves them. workers: processes of each gateway.
    name_seconds: for how long callers believe an answer about the public name. line_seconds: how late the
    replica learns of what is written. decision_seconds: until somebody who knows of the fault has decided to
    fail over.
    """

    seed: int
    fault: Fault
    mode: Mode
    seconds_before: float
    seconds_after: float
    callers: int
    gateways: int
    workers: int
    name_seconds: float
    line_seconds: float
    decision_seconds: float

    @property
    def is_noticed_by_people(self) -> bool:
        """Whether no health check notices it."""
        return self.fault in _NOTICED_BY_PEOPLE

    @property
    def kills(self) -> bool:
        """Whether gateways are killed with the rows that they have not written."""
        return self.fault in _KILLS


def scenario(seed: int) -> Scenario:
    """The scenario of a number: the same for ever. Each ten numbers have each fault once."""
    chance = random.Random(seed)  # noqa: S311 (reproducible, not secret)
    fault = tuple(TOLD)[seed % len(TOLD)]
    return Scenario(
        seed=seed,
        fault=fault,
        mode="graceful" if fault in _NOTICED_BY_PEOPLE else "ungraceful",
        seconds_before=round(chance.uniform(3, 5), 1),
        seconds_after=3.0,
        callers=chance.choice([8, 12, 16]),
        gateways=2,
        workers=chance.choice([1, 2]),
        name_seconds=chance.choice([1.0, 2.0, 5.0]),
        line_seconds=round(chance.uniform(1, 2.5), 1) if fault == "replica lags" else 0.0,
        decision_seconds=round(chance.uniform(1, 3), 1) if fault in _NOTICED_BY_PEOPLE else 0.0,
    )
