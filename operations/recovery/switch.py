"""Moves an environment to a region: refuses what is not safe, shows the plan, asks and follows it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass

import click

from gatehouse import names
from gatehouse.recovery.steps import PROMOTE, expected_reads_seconds, expected_recovery_seconds
from operations.commands import confirm
from operations.errors import RefusedError
from operations.recovery.execution import GRACEFUL
from operations.recovery.exits import UnsafeError
from operations.recovery.lag import Lag
from operations.recovery.notes import Note
from operations.recovery.parallel import NoAnswer
from operations.recovery.refusals import Mode, mode_of, refusals
from operations.recovery.report import Action, Report
from operations.recovery.run import Run
from operations.recovery.situation import Situation
from operations.recovery.steps import upcoming
from operations.recovery.words import duration, moment
from operations.synthesis import ROOT


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody asked for. mode: None for whichever the region to leave allows. drill: as in Note."""

    target: str
    action: Action
    mode: Mode | None
    reason: str
    yes: bool
    drill: str | None = None


def switch(run: Run, wish: Wish) -> Report:
    """Bring an environment to the wished region, or go on with what brings it or has brought it there.

    Raises UnsafeError before anything is begun; WaitsError and UnwatchedError for what goes on.
    """
    run.check_account(wish.target)
    situation = run.look_around()
    if situation.unfinished is not None:
        return _resume(run, situation, wish.target, "activate", forced=wish.mode == "forced")
    switched, plan_arn = situation.last_switch, situation.plan_arn
    is_there = switched is not None and switched.region == situation.active == wish.target
    if switched is not None and plan_arn is not None and is_there and situation.abandoned is None:
        run.display.say(f"{wish.target} serves already, since execution {switched.id}")
        return run.finish(plan_arn, wish.target, switched.id)
    if run.places.is_cold and situation.regions[wish.target].plan_arn is None:
        _deploy(run, yes=wish.yes)
        situation = run.look_around()
    mode = mode_of(situation, wish.target, wish.mode)
    found = refusals(situation, wish.target, mode, is_forced=wish.mode == "forced")
    if found:
        raise UnsafeError("nothing was begun:\n" + "\n".join(f"  - {refusal}" for refusal in found))
    note = Note(
        action=wish.action,
        drill=wish.drill,
        behind_seconds=_behind_seconds(situation, wish.target),
        reason=wish.reason,
    )
    _tell(run, situation, wish.target, mode)
    _agree(wish)
    plan_arn = situation.plan_arn
    assert plan_arn is not None  # noqa: S101 (a region without the plan is refused)
    execution_id = run.begin(plan_arn, wish.target, action="activate", mode=mode, note=note)
    run.display.say(f"execution {execution_id} has begun")
    if run.places.approval_role_arn is not None:
        run.display.say(run.approval(plan_arn, wish.target, execution_id))
    return run.finish(plan_arn, wish.target, execution_id)


def protect(run: Run, *, reason: str, yes: bool, drill: str | None = None) -> Report:
    """Make the region that does not serve a standby of the other; raises as switch."""
    situation = run.look_around()
    region = situation.passive
    run.check_account(region)
    if situation.unfinished is not None:
        return _resume(run, situation, region, "postRecovery")
    lag = situation.regions[region].lag
    if isinstance(lag, Lag):
        raise UnsafeError(f"{region} follows {situation.active} already: nothing is to be done")
    if isinstance(lag, NoAnswer):
        raise UnsafeError(f"whether {region} follows {situation.active} is unknown ({lag.reason}): try again")
    switched, plan_arn = situation.last_switch, situation.plan_arn
    half_done = situation.abandoned
    if half_done and plan_arn and run.has_begun(plan_arn, half_done, PROMOTE.name):
        # Its database may have taken writes since, and would be replaced.
        raise UnsafeError(
            f"execution {half_done.id} was to bring {half_done.region} to serve and ended after it had begun "
            f"to promote its database: go on with gatehouse failover --to {half_done.region} --forced"
        )
    if switched is None or plan_arn is None:
        raise UnsafeError("nothing was switched yet: deploy the Data stacks, which make the replica")
    run.display.say(f"{region} becomes the standby of {situation.active}; its old database is kept, renamed")
    _tell_steps(run, "postRecovery", "lossless")
    confirm(f"Make {region} the standby?", yes=yes)
    note = Note(action="protect", drill=drill, reason=reason)
    execution_id = run.begin(
        plan_arn, region, action="postRecovery", mode="lossless", note=note, recovery=switched.id
    )
    return run.finish(plan_arn, region, execution_id)


def _resume(run: Run, situation: Situation, region: str, action: str, *, forced: bool = False) -> Report:
    past, plan_arn = situation.unfinished, situation.plan_arn
    assert past is not None  # noqa: S101 (the caller has looked)
    assert plan_arn is not None  # noqa: S101 (an execution is of a plan)
    what = f"execution {past.id} ({past.action} {past.region}, begun {moment(past.started)})"
    if (past.region, past.action) != (region, action):
        raise UnsafeError(
            f"{what} is not finished: watch it with the command that began it, or cancel it:\n"
            f"  {run.cancellation(plan_arn, past)}"
        )
    run.display.say(f"going on with {what}; comment: {past.comment or 'none'}")
    if forced and past.mode == GRACEFUL:
        run.force(plan_arn, past)
    return run.finish(plan_arn, past.region, past.id)


def _tell(run: Run, situation: Situation, target: str, mode: Mode) -> None:
    leaving = situation.regions[run.places.other(target)]
    say = run.display.say
    say(f"{run.places.environment}: from {leaving.name} (gateways: {leaving.gateways}) to {target}, {mode}")
    _tell_steps(run, "activate", mode)
    expected = expected_recovery_seconds(forced=mode == "forced")
    say(
        f"Expected: {duration(expected)} until all is served, of "
        f"{duration(run.places.recovery_time_seconds)} allowed; callers with known keys are answered after "
        f"{duration(expected_reads_seconds())}."
    )
    lag = situation.regions[target].lag
    if mode == "lossless":
        say("Nothing is lost: the old region is fenced, and its replica is waited for.")
    elif isinstance(lag, Lag):
        say(
            f"What is lost: the database's last {duration(lag.following_seconds)} before the loss; the "
            f"replica has all until {moment(lag.replayed_until)}."
        )
    else:
        say("What is lost: unknown, as nobody says how far the database had come over.")
    if mode == "forced" and leaving.gateways == "healthy":
        say(f"{leaving.name} answers: without --forced nothing would be lost.")


def _tell_steps(run: Run, action: str, mode: Mode) -> None:
    has_approval = run.places.approval_role_arn is not None
    for step in upcoming(action, forced=mode == "forced", has_approval=has_approval):
        run.display.say(f"  {step.name:<18} {duration(step.expected_seconds):>8}  {step.does}")


def _agree(wish: Wish) -> None:
    if wish.yes:
        return
    try:
        typed = click.prompt(f"Type {wish.target} to begin", err=True, default="", show_default=False)
    except click.Abort:
        typed = ""
    if typed.strip() != wish.target:
        raise RefusedError("not confirmed: nothing was begun. Scripts agree with --yes")


def _behind_seconds(situation: Situation, target: str) -> float | None:
    lag = situation.regions[target].lag
    return lag.following_seconds if isinstance(lag, Lag) else None


def _deploy(run: Run, *, yes: bool) -> None:
    stage = names.stage(run.places.environment)
    command = ["npx", "--no-install", "cdk", "deploy", "-c", f"environment={run.places.environment}"]
    command += ["-c", "standby=active", "--exclusively", f"{stage}/{names.standby_stack('*')}"]
    run.display.say(
        f"the standby of {run.places.environment} is cold: its gateways are deployed first, by\n"
        f"  {shlex.join(command)}"
    )
    confirm("Deploy them now?", yes=yes)
    # Whoever confirmed has agreed to what it creates.
    command += ["--require-approval", "never"]
    try:
        # Its words go beside ours: stdout is for what programs read.
        ended = subprocess.run(command, cwd=ROOT, check=False, stdout=sys.stderr)  # noqa: S603 (our own)
    except OSError as error:
        raise RefusedError(f"{command[0]} cannot be run ({error.strerror}): install Node.js") from None
    if ended.returncode:
        raise RefusedError(f"the deployment failed: mend it, then run again: {run.again}")
