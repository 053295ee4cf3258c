"""What forbids a switch, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gatehouse import names
from operations.recovery.lag import Lag
from operations.recovery.parallel import NoAnswer
from operations.recovery.reach import Health
from operations.recovery.situation import Region, Situation
from operations.recovery.words import duration, moment

Mode = Literal["lossless", "forced"]
_WORDS: dict[Health, str] = {"healthy": "healthy", "unhealthy": "unhealthy", "no answer": "silent"}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a switch would not be safe. may_be_forced: whether it is a smaller evil where a region is lost."""

    problem: str
    fix: str
    may_be_forced: bool = False

    def __str__(self) -> str:
        return f"{self.problem}: {self.fix}"


def mode_of(situation: Situation, target: str, wanted: Mode | None) -> Mode:
    """The wanted mode, or else that which the region to leave allows."""
    if wanted is not None:
        return wanted
    leaving = situation.regions[situation.places.other(target)]
    return "lossless" if leaving.gateways == "healthy" else "forced"


def refusals(situation: Situation, target: str, mode: Mode, *, is_forced: bool) -> list[Refusal]:
    """What forbids to switch to `target`. is_forced: whether somebody said that it has to be."""
    if situation.active == target and not is_forced:
        return [_serves_already(situation, target)]
    return [refusal for refusal in _all(situation, target, mode) if not (is_forced and refusal.may_be_forced)]


def _all(situation: Situation, target: str, mode: Mode) -> Iterator[Refusal]:
    places = situation.places
    region = situation.regions[target]
    leaving = situation.regions[places.other(target)]
    if isinstance(region.plan_arn, NoAnswer):
        yield Refusal(problem=f"Region switch in {target} says {region.plan_arn.reason}", fix="try again")
        return
    if region.plan_arn is None:
        # Alone: what it comes after may be in the region that is lost.
        deploy = (
            f"npx --no-install cdk deploy -c environment={places.environment} --exclusively "
            f"'{names.stage(places.environment)}/{names.standby_stack('Recovery')}'"
        )
        yield Refusal(problem=f"{target} knows no plan {places.plan}", fix=f"deploy it: {deploy}")
        return
    if mode == "lossless" and leaving.gateways != "healthy":
        are = _WORDS[leaving.gateways]
        yield Refusal(
            problem=f"{leaving.name} cannot be left without a loss, as its gateways are {are}",
            fix="repair them, or say --forced: what had not come over is then lost, or brought back later",
        )
    yield from _unready(region)
    yield from _behind(region, places.recovery_point_seconds)
    if isinstance(region.lag, Lag) and region.lag.stands_still and leaving.gateways == "healthy":
        yield Refusal(
            problem=f"the replica of {target} has received nothing since {moment(region.lag.replayed_until)}",
            fix=f"see the alarms of the database in {leaving.name}, or say --forced",
            may_be_forced=True,
        )


def _serves_already(situation: Situation, target: str) -> Refusal:
    half_done = situation.abandoned
    if half_done is None or half_done.region == target:
        fix = "nothing is to be done; --forced activates it all the same"
        return Refusal(problem=f"{target} serves already", fix=fix)
    return Refusal(
        problem=f"{target} serves already, but execution {half_done.id} was to leave it and was not done",
        fix=f"go on with --to {half_done.region}, or come back from it with --forced",
    )


def _unready(region: Region) -> Iterator[Refusal]:
    if region.gateways != "healthy":
        yield Refusal(
            problem=f"the gateways of {region.name} are {_WORDS[region.gateways]}",
            fix="see `gatehouse status` and the service's alarms there, or say --forced",
            may_be_forced=True,
        )
    if isinstance(region.warnings, NoAnswer):
        return
    for warning in region.warnings or ():
        yield Refusal(
            problem=f"Region switch found {warning!r}", fix="mend it, or say --forced", may_be_forced=True
        )


def _behind(region: Region, allowed_seconds: float) -> Iterator[Refusal]:
    lag = region.lag
    if isinstance(lag, NoAnswer):
        yield Refusal(
            problem=f"how far the database of {region.name} is behind is unknown: {lag.reason}",
            fix="try again, or say --forced",
            may_be_forced=True,
        )
    elif lag is None:
        yield Refusal(
            problem=f"the database of {region.name} is no replica that follows another",
            fix="make it one with `gatehouse protect`, or say --forced if it is promoted already",
            may_be_forced=True,
        )
    elif isinstance(lag, Lag) and lag.following_seconds > allowed_seconds:
        yield Refusal(
            problem=f"the replica of {region.name} was {duration(lag.following_seconds)} behind, of "
            f"{duration(allowed_seconds)} that may be lost",
            fix="wait until it has caught up, or say --forced",
            may_be_forced=True,
        )
