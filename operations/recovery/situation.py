"""What both regions say before anything is switched, by their data planes; either may not answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from operations.recovery.execution import Past, history
from operations.recovery.lag import Lag, replica_lag
from operations.recovery.parallel import NoAnswer, ask
from operations.recovery.places import Places
from operations.recovery.reach import ANSWER_SECONDS, Aws, Health, health

_ASKED = ("gateways", "lag", "plan", "warnings")


@dataclass(frozen=True, kw_only=True)
class Region:
    """What one region said, each part of which may have been no answer.

    plan_arn: None where the region has no such plan. executions: the newest first. warnings: of the last
    evaluation of the plan; None before the first, and without a plan.
    """

    name: str
    gateways: Health
    lag: Lag | NoAnswer | None
    plan_arn: str | NoAnswer | None
    executions: Sequence[Past] | NoAnswer = field(default_factory=list)
    warnings: Sequence[str] | NoAnswer | None = None

    @property
    def is_silent(self) -> bool:
        """Whether AWS answered nothing at all there."""
        asked = (self.lag, self.plan_arn, self.warnings)
        return all(isinstance(answer, NoAnswer) and answer.is_silence for answer in asked)


@dataclass(frozen=True, kw_only=True)
class Situation:
    """Both regions, by name."""

    places: Places
    regions: Mapping[str, Region]

    @property
    def history(self) -> list[Past]:
        """The executions that either region knows of, the newest first."""
        found = {
            past.id: past
            for region in self.regions.values()
            if not isinstance(region.executions, NoAnswer)
            for past in region.executions
        }
        return sorted(found.values(), key=lambda past: past.started, reverse=True)

    @property
    def unfinished(self) -> Past | None:
        """The execution that runs or waits, whoever began it."""
        return next((past for past in self.history if past.outcome == "running"), None)

    @property
    def last_switch(self) -> Past | None:
        """The newest execution that brought a region to serve."""
        return next((past for past in self.history if past.action == "activate" and past.is_done), None)

    @property
    def abandoned(self) -> Past | None:
        """The newest execution that was to bring a region to serve, if it ended before it had."""
        newest = next((past for past in self.history if past.action == "activate"), None)
        return None if newest is None or newest.is_done or newest.outcome == "running" else newest

    @property
    def active(self) -> str:
        """The region that serves.

        The replica tells, as it is in the other one: the region that was last switched to may be lost, and
        with it what it knows of that.
        """
        replicas = [name for name, region in self.regions.items() if isinstance(region.lag, Lag)]
        if len(replicas) == 1:
            return self.places.other(replicas[0])
        switched = self.last_switch
        return self.places.primary if switched is None else switched.region

    @property
    def passive(self) -> str:
        """The region that does not serve."""
        return self.places.other(self.active)

    @property
    def silent(self) -> list[str]:
        """The regions that do not answer."""
        return [name for name, region in self.regions.items() if region.is_silent]

    @property
    def awaits_deployment(self) -> bool:
        """Whether the region that does not serve has no gateways until a failover deploys them."""
        return self.places.is_cold and self.regions[self.passive].plan_arn is None

    @property
    def plan_arn(self) -> str | None:
        """The plan's ARN, from whichever region knows it."""
        return next((r.plan_arn for r in self.regions.values() if isinstance(r.plan_arn, str)), None)


def look_around(aws: Aws, places: Places) -> Situation:
    """Ask both regions everything at once; never longer than some seconds."""
    return situation_of(places, ask(questions(aws, places), seconds=ANSWER_SECONDS))


def questions(aws: Aws, places: Places) -> dict[str, Callable[[], Any]]:
    """What is asked of both regions; `situation_of` reads the answers."""
    asked: dict[str, Callable[[], Any]] = {}
    for region in places.regions:
        asked[f"{region} gateways"] = partial(health, places.url(region))
        asked[f"{region} lag"] = partial(replica_lag, aws, places, region)
        asked[f"{region} plan"] = partial(_plan, aws, places, region)
        asked[f"{region} warnings"] = partial(_warnings, aws, places, region)
    return asked


def situation_of(places: Places, answers: Mapping[str, Any]) -> Situation:
    """What the regions have said, to `questions`."""
    return Situation(
        places=places,
        regions={
            region: _region(region, *(answers[f"{region} {what}"] for what in _ASKED))
            for region in places.regions
        },
    )


def _region(name: str, gateways: Any, lag: Any, plan: Any, warnings: Any) -> Region:
    answered: Health = "no answer" if isinstance(gateways, NoAnswer) else gateways
    if isinstance(plan, NoAnswer):
        return Region(
            name=name, gateways=answered, lag=lag, plan_arn=plan, executions=plan, warnings=warnings
        )
    arn, executions = plan
    if isinstance(lag, Lag) and _was_promoted_since(name, lag.measured, executions):
        # What is still told is of the replica that it was.
        lag = None
    return Region(
        name=name, gateways=answered, lag=lag, plan_arn=arn, executions=executions, warnings=warnings
    )


def _was_promoted_since(region: str, moment: float, executions: Sequence[Past]) -> bool:
    return any(
        past.action == "activate"
        and past.region == region
        and past.is_done
        and (past.ended is None or past.ended >= moment)
        for past in executions
    )


def _plan(aws: Aws, places: Places, region: str) -> tuple[str | None, Sequence[Past]]:
    client = aws.client("arc-region-switch", region)
    arn = _plan_arn(client, places)
    return (None, ()) if arn is None else (arn, history(client, arn))


def _plan_arn(client: Any, places: Places) -> str | None:
    pages = client.get_paginator("list_plans_in_region").paginate()
    # Others may share plans of the same name with the account.
    own = f":{places.account}:plan/{places.plan}:"
    return next((plan["arn"] for page in pages for plan in page.get("plans", ()) if own in plan["arn"]), None)


def _warnings(aws: Aws, places: Places, region: str) -> list[str] | None:
    """Asked for apart from the plan: without them a switch is possible."""
    client = aws.client("arc-region-switch", region)
    arn = _plan_arn(client, places)
    if arn is None:
        return None
    pages = list(client.get_paginator("get_plan_evaluation_status").paginate(planArn=arn))
    state = pages[0].get("evaluationState", "unknown")
    if state in ("pendingEvaluation", "unknown"):
        return None
    found = [
        ": ".join(filter(None, (warning.get("stepName"), warning["warningMessage"])))
        for page in pages
        for warning in page.get("warnings", ())
        if warning["warningStatus"] == "active"
    ]
    if not found and state == "actionRequired":
        return ["the plan needs attention, and the evaluation does not say why"]
    return found
