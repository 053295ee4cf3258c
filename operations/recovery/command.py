"""gatehouse status, failover, failback, protect and drill."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from operations.commands import Command, Session, with_session
from operations.configuration import environment_option
from operations.options import yes_option
from operations.recovery.exits import CODES

if TYPE_CHECKING:
    from operations.recovery.refusals import Mode
    from operations.recovery.report import Report
    from operations.recovery.run import Run

_FOLDER = Path("recovery-reports")

_modes = (
    click.option(
        "--lossless",
        "mode",
        flag_value="lossless",
        help="Fence the old region and wait for its last write; the default while it answers.",
    ),
    click.option(
        "--forced",
        "mode",
        flag_value="forced",
        help="Do not wait for the old region: what has not come over is lost, or brought back later.",
    ),
)
_reason_option = click.option(
    "--reason", default="", metavar="TEXT", help="Why, for the execution's comment."
)
_run_options = (
    environment_option,
    click.option(
        "--on-failure",
        type=click.Choice(["ask", "retry", "ungraceful", "cancel", "leave"]),
        default="ask",
        show_default=True,
        help="What becomes of a step that failed, without a person: run it again (three times at most), "
        "as if the other region were lost, cancel the execution, or leave it waiting.",
    ),
    click.option(
        "--skip", multiple=True, metavar="STEP", help="Go on without this step if it fails; may be repeated."
    ),
    click.option(
        "--report",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        default=_FOLDER,
        show_default=True,
        metavar="FOLDER",
        help="Write the report here.",
    ),
)


def with_run(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command its session and what it works with, and the options that tell of it."""

    @functools.wraps(function)
    def begin(
        session: Session, environment: str, on_failure: Any, skip: tuple[str, ...], folder: Path, **own: Any
    ) -> None:
        from operations.recovery.display import Display
        from operations.recovery.operate import Policy
        from operations.recovery.places import places
        from operations.recovery.reach import Aws
        from operations.recovery.run import Run

        found = places(environment)
        again = shlex.join(["gatehouse", *sys.argv[1:]])
        run = Run(
            aws=Aws(),
            places=found,
            policy=Policy(on_failure=on_failure, skip=frozenset(skip)),
            display=Display(objective_seconds=found.recovery_time_seconds, again=again),
            folder=folder,
            again=again,
        )
        function(session, run, **own)

    decorated: Callable[..., None] = with_session(begin)
    for option in reversed((*_run_options, _reason_option, yes_option)):
        decorated = option(decorated)
    return decorated


def _with_modes(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_modes):
        function = option(function)
    return function


@click.command(
    "status",
    cls=Command,
    asks_gateway=False,
    examples="""
    gatehouse status --environment prod
    gatehouse status --environment prod --json | jq .ready""",
)
@environment_option
@with_session
def status(session: Session, environment: str) -> None:
    """Show both regions: who serves, how far each data set is behind, and whether the plan is ready.

    Ends with 1 if anything is wrong or unknown, and with 3 if that is because a region does not answer.
    """
    from operations.errors import RefusedError, UnreachableError
    from operations.recovery import status as found_by
    from operations.recovery.places import places
    from operations.recovery.reach import Aws

    found = found_by.status(Aws(), places(environment))
    session.show(found_by.facts(found), lambda: found_by.table(found))
    told = f"{len(found.findings)} of {len(found.checks)} checks found something"
    if found.situation.silent:
        raise UnreachableError(f"no answer from {' and '.join(found.situation.silent)}; {told}")
    if found.findings:
        raise RefusedError(told)


@click.command(
    "failover",
    cls=Command,
    asks_gateway=False,
    epilog=CODES,
    examples="""
    gatehouse failover --environment prod --to us-west-2
    gatehouse failover --environment prod --to us-west-2 --forced --reason "us-east-1 is gone"
    gatehouse failover --environment prod --to us-west-2 --yes --on-failure retry --json""",
)
@click.option("--to", "target", required=True, metavar="REGION", help="The region that takes over.")
@_with_modes
@with_run
def failover(session: Session, run: Run, target: str, mode: Mode | None, reason: str, yes: bool) -> None:
    """Move an environment to its other region, and report how long it took and what was lost.

    Run again, on any machine, it goes on with an execution that is under way; with --forced that waits for
    the old region no longer. It asks data planes alone, so that a lost region keeps nothing from moving.
    """
    from operations.errors import WrongUsageError
    from operations.recovery.switch import Wish, switch

    if target not in run.places.regions:
        allowed = " or ".join(run.places.regions)
        raise WrongUsageError(
            f"--to is {target}; allowed: {allowed}, the regions of {run.places.environment}"
        )
    _end(session, switch(run, Wish(target=target, action="failover", mode=mode, reason=reason, yes=yes)))


@click.command(
    "failback",
    cls=Command,
    asks_gateway=False,
    epilog=CODES,
    examples="""
    gatehouse failback --environment prod
    gatehouse failback --environment prod --yes --on-failure retry --json""",
)
@_with_modes
@with_run
def failback(session: Session, run: Run, mode: Mode | None, reason: str, yes: bool) -> None:
    """Move an environment back to its primary region, once `gatehouse protect` has copied the data there."""
    from operations.recovery.switch import Wish, switch

    target = run.places.primary
    _end(session, switch(run, Wish(target=target, action="failback", mode=mode, reason=reason, yes=yes)))


@click.command(
    "protect",
    cls=Command,
    asks_gateway=False,
    epilog=CODES,
    examples="gatehouse protect --environment prod",
)
@with_run
def protect(session: Session, run: Run, reason: str, yes: bool) -> None:
    """Make the region that was left the standby of the one that serves, once it is back.

    Its database becomes a replica again, and its gateways run at the size of a standby. The database that it
    had is kept beside it, renamed: rows that did not come over can still be brought back from there.
    """
    from operations.recovery import switch

    _end(session, switch.protect(run, reason=reason, yes=yes))


@click.command(
    "drill",
    cls=Command,
    asks_gateway=False,
    epilog=CODES,
    examples="""
    gatehouse drill --environment prod
    gatehouse drill --environment prod --caller-key-file key.txt --json
    gatehouse drill --environment prod --game-day --reason "quarterly exercise\"""",
)
@click.option("--game-day", is_flag=True, help="Move the environment to its standby and back, for real.")
@click.option(
    "--caller-key-file",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="A file with an API key; the standby has to take it. '-' is stdin.",
)
@with_run
def drill(
    session: Session, run: Run, game_day: bool, caller_key_file: IO[str] | None, reason: str, yes: bool
) -> None:
    """Check all that a failover would need, and change nothing; or, on a game day, fail over and back.

    A game day takes hours, most of them to copy the database for the way back. Left or interrupted, it goes
    on where it was when it is run again.
    """
    from operations.recovery import drills

    if game_day:
        report = drills.game_day(run, reason=reason, yes=yes)
    else:
        key = None if caller_key_file is None else caller_key_file.read().strip()
        report = drills.readiness(run, key=key)
    _end(session, report)


def _end(session: Session, report: Report) -> None:
    from dataclasses import asdict

    from operations.recovery.run import verdict
    from operations.recovery.shown import drawn

    session.show(asdict(report), lambda: drawn(report))
    verdict(report)
