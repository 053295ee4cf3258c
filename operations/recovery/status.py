"""How ready an environment is to lose a region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from operations.errors import RefusedError, UnreachableError
from operations.recovery.checks import Check
from operations.recovery.data_sets import data_sets
from operations.recovery.execution import Past
from operations.recovery.lag import Lag
from operations.recovery.parallel import NoAnswer, ask
from operations.recovery.places import Places
from operations.recovery.reach import ANSWER_SECONDS, Aws
from operations.recovery.record import last_drill
from operations.recovery.run import check_account
from operations.recovery.situation import Situation, questions, situation_of
from operations.recovery.words import duration, moment

if TYPE_CHECKING:
    from operations.output import Shown


@dataclass(frozen=True, kw_only=True)
class Status:
    """What was found. drill: the report of the last one, None if there was none."""

    situation: Situation
    checks: Sequence[Check]
    drill: Mapping[str, Any] | NoAnswer | None

    @property
    def findings(self) -> list[Check]:
        """What is wrong or unknown."""
        return [check for check in self.checks if check.state != "ok"]


def status(aws: Aws, places: Places) -> Status:
    """Ask both regions; a lost one is told as one that gives no answer, and waited for once.

    Raises UnsafeError for credentials of another account.
    """
    answers = ask(
        {
            **questions(aws, places),
            "account": partial(_check_account, aws, places),
            "drill": partial(last_drill, aws, places),
        },
        seconds=ANSWER_SECONDS,
    )
    situation = situation_of(places, answers)
    return Status(
        situation=situation,
        checks=[
            *(_gateways(situation, name) for name in places.regions),
            *data_sets(aws, places, situation),
            _plan(situation),
        ],
        drill=answers["drill"],
    )


def _check_account(aws: Aws, places: Places) -> None:
    # A region that does not say whose they are is lost, or half lost, which is what is to be told.
    with suppress(UnreachableError, RefusedError):
        check_account(aws, places, places.standby)


def facts(found: Status) -> dict[str, Any]:
    """For programs."""
    situation, places = found.situation, found.situation.places
    last = situation.history[0] if situation.history else None
    lag = situation.regions[situation.passive].lag
    return {
        "environment": places.environment,
        "active": situation.active,
        "standby": situation.passive,
        "silent": situation.silent,
        "ready": not found.findings,
        "checks": [asdict(check) for check in found.checks],
        "objectives": {
            "recovery_time_seconds": places.recovery_time_seconds,
            "recovery_point_seconds": places.recovery_point_seconds,
            "behind_seconds": lag.seconds if isinstance(lag, Lag) else None,
            "last_recovery_seconds": _seconds(situation.last_switch),
        },
        "unfinished": asdict(situation.unfinished) if situation.unfinished else None,
        "last_execution": asdict(last) if last else None,
        "last_drill": None if isinstance(found.drill, NoAnswer) else found.drill,
    }


def table(found: Status) -> Shown:
    """For people."""
    from operations.output import fields, state, table, together

    situation, places = found.situation, found.situation.places
    rows = [(check.what, state(check.state), check.found, check.fix) for check in found.checks]
    return together(
        fields(
            [
                ("Serves", situation.active),
                ("Standby", f"{situation.passive}, {'cold' if places.is_cold else 'warm'}"),
                ("No answer", ", ".join(situation.silent) or None),
                ("Recovery time", _against(_seconds(situation.last_switch), places.recovery_time_seconds)),
                ("Under way", _told(situation.unfinished)),
                ("Last execution", _told(situation.history[0] if situation.history else None) or "none"),
                ("Last drill", _drill(found.drill)),
            ]
        ),
        table("!What", "!State", "Found", "To do", rows=rows),
        _next(found.situation),
    )


def _next(situation: Situation) -> Shown | None:
    from operations.output import note

    command = f"--environment {situation.places.environment}"
    unfinished = situation.unfinished
    if unfinished is not None and unfinished.action == "postRecovery":
        return note(f"watch what makes {unfinished.region} a standby:\n  gatehouse protect {command}")
    if unfinished is not None:
        target = unfinished.region
    elif situation.regions[situation.active].gateways == "healthy":
        return None
    elif situation.regions[situation.passive].gateways == "healthy" or situation.awaits_deployment:
        target = situation.passive
    else:
        return note("no gateways answer in either region: is it this machine's own network?")
    return note(f"move to {target}, or watch what does:\n  gatehouse failover {command} --to {target}")


def _gateways(situation: Situation, region_name: str) -> Check:
    region, name = situation.regions[region_name], f"gateways {region_name}"
    if region.gateways == "healthy":
        return Check(what=name, state="ok", found="healthy")
    if region_name == situation.passive and situation.awaits_deployment:
        return Check(what=name, state="ok", found="none: a failover deploys them")
    fix = "see the alarms and the service in that region"
    return Check(
        what=name,
        state="no answer" if region.gateways == "no answer" else "failed",
        found=region.gateways,
        fix=fix,
    )


def _plan(situation: Situation) -> Check:
    """The plan as the region sees it that would take over."""
    region = situation.regions[situation.passive]
    if situation.awaits_deployment:
        return Check(what="plan", state="ok", found="none: a failover deploys it")
    if isinstance(region.plan_arn, NoAnswer):
        return Check(what="plan", state="no answer", found=region.plan_arn.reason)
    if isinstance(region.warnings, NoAnswer):
        return Check(what="plan", state="no answer", found=region.warnings.reason)
    if region.plan_arn is None:
        return Check(what="plan", state="failed", found="none", fix="deploy Standby-Recovery")
    if region.warnings is None:
        found = "not evaluated yet"
        return Check(what="plan", state="failed", found=found, fix="wait: it is evaluated every half hour")
    if region.warnings:
        return Check(what="plan", state="failed", found="\n".join(region.warnings), fix="mend each")
    return Check(what="plan", state="ok", found="evaluated, nothing found")


def _seconds(past: Past | None) -> float | None:
    return None if past is None or past.ended is None else past.ended - past.started


def _against(measured: float | None, allowed: float) -> str:
    if measured is None:
        return f"{duration(allowed)} allowed, never measured"
    return f"{duration(allowed)} allowed, {duration(measured)} at the last switch"


def _told(past: Past | None) -> str | None:
    if past is None:
        return None
    told = f"{past.action} {past.region}, {moment(past.started)}: {past.outcome}"
    return f"{told} ({past.comment})" if past.comment else told


def _drill(drill: Mapping[str, Any] | NoAnswer | None) -> str:
    if isinstance(drill, NoAnswer):
        return f"unknown: {drill.reason}"
    if drill is None:
        return "never"
    return f"{moment(drill['started'])}, {drill['mode']}: {drill['outcome']}"
