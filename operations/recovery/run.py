"""Runs one execution of the plan to its end and reports it, whoever began it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from gatehouse.recovery.steps import APPROVE
from operations.aws import code_of, is_signed_out, refuse
from operations.errors import RefusedError, UnreachableError
from operations.recovery import execution as executions
from operations.recovery.execution import GRACEFUL, UNGRACEFUL, Execution, Past, begin, look
from operations.recovery.exits import ObjectiveMissedError, UnsafeError, UnwatchedError, WaitsError
from operations.recovery.notes import Note, read_note
from operations.recovery.operate import NotTakenError, Operator, Policy
from operations.recovery.reach import AWS_ERRORS, Aws, is_passing, said
from operations.recovery.record import keep, report_of
from operations.recovery.report import Report
from operations.recovery.situation import Situation, look_around
from operations.recovery.words import duration

if TYPE_CHECKING:
    from operations.recovery.display import Display
    from operations.recovery.places import Places

_RUNS_ALREADY = frozenset({"IllegalStateException", "ConflictException"})


def check_account(aws: Aws, places: Places, region: str) -> None:
    """Raise UnsafeError unless the shell's credentials are of the environment's account.

    UnreachableError if the region does not answer.
    """
    try:
        account = aws.client("sts", region).get_caller_identity()["Account"]
    except AWS_ERRORS as error:
        _refuse(error)
    if account != places.account:
        raise UnsafeError(
            f"the credentials of this shell are of account {account}, and {places.environment} is in "
            f"{places.account}: sign in there"
        )


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run of a command works with. again: the command line that goes on where it was left."""

    aws: Aws
    places: Places
    policy: Policy
    display: Display
    folder: Path
    again: str

    def check_account(self, region: str) -> None:
        """As the function, asking one region."""
        check_account(self.aws, self.places, region)

    def look_around(self) -> Situation:
        """What both regions say now."""
        return look_around(self.aws, self.places)

    def begin(
        self, plan_arn: str, region: str, *, action: str, mode: str, note: Note, recovery: str | None = None
    ) -> str:
        """Begin an execution in a region; its ID. Raises UnsafeError if another one was quicker."""
        try:
            return begin(
                self.aws.client("arc-region-switch", region),
                plan_arn,
                region=region,
                mode=GRACEFUL if mode == "lossless" else UNGRACEFUL,
                action=action,
                comment=str(note),
                recovery=recovery,
            )
        except AWS_ERRORS as error:
            if code_of(error) in _RUNS_ALREADY:
                raise UnsafeError(
                    "somebody began another execution just now, or the plan is in no state to begin one "
                    f"({said(error)}); look with: {self.again}"
                ) from None
            if is_passing(error):
                raise UnreachableError(
                    f"nobody knows whether an execution has begun, as AWS did not say ({said(error)}); go on "
                    f"with it, or begin it, with: {self.again}"
                ) from None
            _refuse(error)

    def force(self, plan_arn: str, past: Past) -> None:
        """Let an execution go on as if the region that is left were lost, or as it was if AWS refuses."""
        try:
            self.aws.client("arc-region-switch", past.region).update_plan_execution(
                planArn=plan_arn,
                executionId=past.id,
                action="switchToUngraceful",
                comment="forced by gatehouse",
            )
        except AWS_ERRORS as error:
            self.display.say(f"it is not forced, as AWS says {said(error)}")
        else:
            self.display.say("it is forced from now on: the region that is left is not waited for")

    def finish(self, plan_arn: str, region: str, execution_id: str) -> Report:
        """Watch an execution to its end and report it; raises WaitsError and UnwatchedError if it goes on."""
        operator = Operator(
            client=self.aws.client("arc-region-switch", region),
            plan_arn=plan_arn,
            policy=self.policy,
            display=self.display,
            poll_seconds=executions.POLL_SECONDS,
        )
        with self._left_running(execution_id):
            execution = operator.run(execution_id)
        if execution.outcome == "running":
            raise WaitsError(self._waiting(plan_arn, execution))
        report = report_of(self.places, execution, read_note(execution.comment))
        self.keep(report)
        return report

    def has_begun(self, plan_arn: str, past: Past, step: str) -> bool:
        """Whether an execution that has ended came as far as a step; raises as begin."""
        client = self.aws.client("arc-region-switch", past.region)
        try:
            steps = look(client, plan_arn, past.id).steps
        except AWS_ERRORS as error:
            _refuse(error)
        return any(each.name == step and each.started is not None for each in steps)

    def keep(self, report: Report) -> None:
        """Write a report, and say where it is."""
        try:
            page, problem = keep(self.aws, self.places, report, self.folder)
        except OSError as error:
            self.display.say(f"the report cannot be written to {self.folder}: {error.strerror}")
            return
        self.display.say(f"report: {page}")
        if problem is not None:
            self.display.say(f"the object store of {self.places.standby} did not take it: {problem}")

    def approval(self, plan_arn: str, region: str, execution_id: str) -> str:
        """How an execution is approved."""
        command = _command(
            "approve-plan-execution-step", plan_arn, region, execution_id, "--step-name", APPROVE.name
        )
        role = self.places.approval_role_arn or "the approval role"
        return f"execution {execution_id} waits for {role}: {command} --approval approve"

    def cancellation(self, plan_arn: str, past: Past) -> str:
        """How an execution is cancelled that no command of ours watches."""
        return _command("cancel-plan-execution", plan_arn, past.region, past.id)

    @contextmanager
    def _left_running(self, execution_id: str) -> Iterator[None]:
        try:
            yield
        except (KeyboardInterrupt, click.Abort):
            raise UnwatchedError(
                f"execution {execution_id} goes on without you; watch it again, from any machine, with: "
                f"{self.again}"
            ) from None
        except NotTakenError as error:
            raise WaitsError(
                f"execution {execution_id} waits, as AWS refused what was decided for {error}; decide again "
                f"with: {self.again}"
            ) from None
        except AWS_ERRORS as error:
            cure = "sign in and watch it again" if is_signed_out(error) else "watch it again"
            raise WaitsError(
                f"execution {execution_id} goes on, but AWS does not say how far it is ({said(error)}); "
                f"{cure} with: {self.again}"
            ) from None

    def _waiting(self, plan_arn: str, execution: Execution) -> str:
        if execution.state == "pendingManualApproval":
            return (
                f"{self.approval(plan_arn, execution.region, execution.id)}; then watch it with: {self.again}"
            )
        failed = "; ".join(f"{step} failed: {failure.error}" for step, failure in execution.failed_steps())
        return f"execution {execution.id} waits: {failed or execution.state}. Decide with: {self.again}"


def verdict(report: Report) -> None:
    """Raise RefusedError unless the recovery came to its end, ObjectiveMissedError if it took too much."""
    if not report.is_done:
        raise RefusedError(
            f"the {report.action} did not succeed ({report.outcome}): see the report, and `gatehouse status`"
        )
    for name, objective in (("time", report.recovery_time), ("point", report.recovery_point)):
        if objective.is_met is False:
            raise ObjectiveMissedError(
                f"done, but the recovery {name} objective was missed: {duration(objective.measured)} of "
                f"{duration(objective.allowed)}"
            )


def _command(operation: str, plan_arn: str, region: str, execution_id: str, *more: str) -> str:
    command = ["aws", "arc-region-switch", operation, "--region", region]
    return shlex.join([*command, "--plan-arn", plan_arn, "--execution-id", execution_id, *more])


def _refuse(error: Exception) -> NoReturn:
    if is_signed_out(error):
        raise UnsafeError(f"AWS takes no credentials of this shell ({said(error)}): sign in") from None
    refuse(error)
