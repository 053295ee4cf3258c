"""Drills: a look at everything that changes nothing, and a game day that moves the environment and back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from operations.errors import RefusedError
from operations.recovery.data_sets import data_sets
from operations.recovery.execution import Past
from operations.recovery.exits import UnsafeError, WaitsError
from operations.recovery.notes import read_note
from operations.recovery.parallel import NoAnswer
from operations.recovery.places import Places
from operations.recovery.reach import accepts
from operations.recovery.refusals import refusals
from operations.recovery.report import Objective, Report
from operations.recovery.run import Run
from operations.recovery.situation import Situation
from operations.recovery.switch import Wish, protect, switch
from operations.recovery.words import compact, duration

# A new replica has to catch up before the way back is safe.
_READY_TRIES, READY_SECONDS = 60, 30.0


class Leg(NamedTuple):
    """One of a game day's executions."""

    action: str
    region: str


def legs(places: Places) -> tuple[Leg, ...]:
    """There and back, with a replica for the way back and another one for the next time."""
    return (
        Leg("activate", places.standby),
        Leg("postRecovery", places.primary),
        Leg("activate", places.primary),
        Leg("postRecovery", places.standby),
    )


@dataclass(frozen=True, kw_only=True)
class Day:
    """A game day that is under way. id: as in Note. done: how many of its legs."""

    id: str
    done: int


def day_under_way(history: Sequence[Past], leg_count: int) -> Day | None:
    """The game day that the newest execution belongs to, unless it is over; history: the newest first."""
    newest = next((past for past in history if past.is_done or past.outcome == "running"), None)
    note = None if newest is None else read_note(newest.comment)
    if note is None or note.drill is None:
        return None
    notes = [read_note(past.comment) for past in history if past.is_done]
    done = sum(each is not None and each.drill == note.drill for each in notes)
    return Day(id=note.drill, done=done) if done < leg_count else None


def game_day(run: Run, *, reason: str, yes: bool) -> Report:
    """Move an environment to its standby and back, without a loss; goes on with a day that was left.

    Raises as switch. What it reports is the slower way, with how long each took.
    """
    situation = run.look_around()
    way = legs(run.places)
    day = day_under_way(situation.history, len(way))
    if day is None:
        if situation.active != run.places.primary:
            raise UnsafeError(f"{situation.active} serves: fail back first, a game day begins in the primary")
        day = Day(id=compact(time.time()), done=0)
    run.display.say(f"game day {day.id}: {len(way) - day.done} of {len(way)} executions are left")
    reports: list[Report] = []
    for leg in way[day.done :]:
        reports.append(_run(run, leg, day, reason=reason, yes=yes or bool(reports)))
        if not reports[-1].is_done:
            raise RefusedError(f"the game day ended with {leg.action} {leg.region}: {reports[-1].outcome}")
    report = _together(reports)
    run.keep(report)
    return report


def _run(run: Run, leg: Leg, day: Day, *, reason: str, yes: bool) -> Report:
    if leg.action == "postRecovery":
        return protect(run, reason=reason, yes=yes, drill=day.id)
    if leg.region == run.places.primary:
        _until_ready(run, leg.region)
    wish = Wish(target=leg.region, action="drill", mode="lossless", reason=reason, yes=yes, drill=day.id)
    return switch(run, wish)


def _until_ready(run: Run, region: str) -> None:
    found = []
    for _ in range(_READY_TRIES):
        situation = run.look_around()
        found = refusals(situation, region, "lossless", is_forced=False)
        if situation.unfinished is not None or not found:
            return
        run.display.say(f"waiting: {found[0].problem}")
        time.sleep(READY_SECONDS)
    raise WaitsError(f"{region} is not ready: {found[0]}. Go on with: {run.again}")


def _together(reports: Sequence[Report]) -> Report:
    took = {
        f"{report.action} {report.to_region}": duration((report.ended or report.started) - report.started)
        for report in reports
    }
    slowest = max(reports, key=lambda report: report.recovery_time.measured or 0.0)
    return replace(slowest, action="drill", measures=took)


def readiness(run: Run, *, key: str | None) -> Report:
    """Look at all that a failover would need, and change nothing. key: one that the standby has to take."""
    run.check_account(run.places.standby)
    situation = run.look_around()
    checks = data_sets(run.aws, run.places, situation)
    measures: dict[str, str] = {check.what: check.found for check in checks}
    findings = [*_unready(situation), *(f"{c.what}: {c.found}" for c in checks if c.state != "ok")]
    if key is not None:
        problem = accepts(run.places.url(situation.passive), key)
        measures["known key"] = problem or "works"
        if problem is not None:
            findings.append(f"the gateways of {situation.passive} do not take the key: {problem}")
    now = time.time()
    behind = next((check.behind_seconds for check in checks if check.what == "database"), None)
    report = Report(
        environment=run.places.environment,
        action="drill",
        from_region=situation.active,
        to_region=situation.passive,
        mode="readiness",
        execution_id="readiness",
        outcome="failed" if findings else "completed",
        started=now,
        ended=now,
        recovery_time=Objective(allowed=run.places.recovery_time_seconds, measured=None),
        recovery_point=Objective(allowed=run.places.recovery_point_seconds, measured=behind),
        steps=(),
        findings=findings,
        measures=measures,
    )
    run.keep(report)
    return report


def _unready(situation: Situation) -> Iterator[str]:
    target = situation.passive
    if situation.unfinished is not None:
        yield f"execution {situation.unfinished.id} is not finished"
    if situation.awaits_deployment:
        return
    for refusal in refusals(situation, target, "lossless", is_forced=False):
        yield refusal.problem
    warnings = situation.regions[target].warnings
    if warnings is None:
        yield f"Region switch has not evaluated the plan in {target} yet"
    elif isinstance(warnings, NoAnswer):
        yield f"Region switch in {target} does not say whether the plan is ready: {warnings.reason}"
