"""Watches an execution to its end, and decides with an operator, or for one, what becomes of failed steps."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

import click

from operations.aws import code_of
from operations.recovery.display import Display
from operations.recovery.execution import Execution, Failure, watch
from operations.recovery.reach import AWS_ERRORS, is_passing, said
from operations.text import clean

OnFailure = Literal["ask", "retry", "ungraceful", "cancel", "leave"]
Decision = Literal["retry", "skip", "ungraceful", "cancel", "leave"]
MOST_RETRIES = 3

# After so many looks a pause that nothing explains is somebody's to decide.
_MOST_LOOKS = 30
_DECIDED_BY_OTHERS = frozenset({"IllegalStateException", "ConflictException"})
_KEYS: dict[str, Decision] = {"r": "retry", "s": "skip", "u": "ungraceful", "c": "cancel", "l": "leave"}
_QUESTION = """\
  r  run it again
  u  run it again as if the other region were lost
  s  go on without it
  c  cancel: what is done stays done
  l  leave it waiting, and end this command"""


class NotTakenError(Exception):
    """AWS refused what was decided for a step; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What becomes of a step that failed. skip: names of steps to go on without, whatever on_failure says."""

    on_failure: OnFailure = "ask"
    skip: frozenset[str] = frozenset()

    @property
    def asks(self) -> bool:
        """Whether somebody is there who answers."""
        return self.on_failure == "ask" and sys.stdin.isatty()


@dataclass
class Operator:
    """Runs one execution of a plan to its end.

    poll_seconds: between two looks. It may be started beside another one, on another machine: each sees what
    the other has decided.
    """

    client: Any
    plan_arn: str
    policy: Policy
    display: Display
    poll_seconds: float
    _decided: set[str] = field(default_factory=set)
    _looks: int = 0
    _retried: Counter[str] = field(default_factory=Counter)

    def run(self, execution_id: str) -> Execution:
        """Until it has ended, or waits for somebody who is not here.

        Raises botocore's errors, and NotTakenError.
        """
        while True:
            with self.display.shown():
                execution = watch(
                    self.client,
                    self.plan_arn,
                    execution_id,
                    show=self.display.show,
                    silent=self.display.silent,
                    is_enough=self._is_enough,
                    poll_seconds=self.poll_seconds,
                )
            if execution.outcome != "running" or not self._go_on(execution):
                return execution

    def _is_enough(self, execution: Execution) -> bool:
        if execution.state == "pausedByFailedStep":
            # What is decided, and why a step failed, may take a moment to show.
            self._looks += 1
            is_told = any(failure.is_told for _, failure in self._undecided(execution))
            return is_told or self._looks > _MOST_LOOKS
        self._looks = 0
        if execution.state == "pendingManualApproval":
            return not self.policy.asks
        return execution.waits_for_somebody

    def _undecided(self, execution: Execution) -> list[tuple[str, Failure]]:
        return [
            (step, failure)
            for step, failure in execution.failed_steps()
            if failure.event not in self._decided
        ]

    def _go_on(self, execution: Execution) -> bool:
        """Decide what is to be decided; False if the execution is left as it is."""
        failed = self._undecided(execution)
        self._looks = 0
        for step, failure in failed:
            decision = self._decision(step, failure)
            if decision == "leave":
                return False
            if self.policy.asks and not self._still_waits(execution.id, step, failure):
                self.display.say(f"{step}: somebody else decided it first")
                continue
            self._decided.add(failure.event)
            try:
                self._carry_out(execution.id, step, decision)
            except AWS_ERRORS as error:
                self._was_not_taken(step, failure, error)
            else:
                self.display.say(f"{step}: {decision}")
        return bool(failed)

    def _still_waits(self, execution_id: str, step: str, failure: Failure) -> bool:
        """Whether nobody has decided while somebody thought: what runs again must not be skipped."""
        now = watch(
            self.client,
            self.plan_arn,
            execution_id,
            show=lambda _execution: None,
            silent=self.display.silent,
            is_enough=lambda _execution: True,
            poll_seconds=self.poll_seconds,
        )
        return (step, failure) in now.failed_steps()

    def _was_not_taken(self, step: str, failure: Failure, error: Exception) -> None:
        """Say why, and decide again if it may be taken later; raises what somebody has to mend."""
        if is_passing(error):
            self._decided.discard(failure.event)
            self._retried[step] -= 1
            self.display.silent(error)
            time.sleep(self.poll_seconds)
        elif code_of(error) in _DECIDED_BY_OTHERS:
            self.display.say(f"{step}: somebody else decided it first ({said(error)})")
        else:
            raise NotTakenError(f"{step}: {said(error)}") from error

    def _decision(self, step: str, failure: Failure) -> Decision:
        if step in self.policy.skip:
            return "skip"
        if self.policy.on_failure == "ask":
            return _ask(step, failure) if self.policy.asks else "leave"
        self._retried[step] += 1
        return self.policy.on_failure if self._retried[step] <= MOST_RETRIES else "leave"

    def _carry_out(self, execution_id: str, step: str, decision: Decision) -> None:
        asked = {"planArn": self.plan_arn, "executionId": execution_id}
        comment = f"{decision} by gatehouse"
        if decision == "cancel":
            self.client.cancel_plan_execution(**asked, comment=comment)
        elif decision == "retry":
            self.client.update_plan_execution(**asked, action="resume", comment=comment)
        else:
            self.client.update_plan_execution_step(
                **asked,
                stepName=step,
                actionToTake="skip" if decision == "skip" else "switchToUngraceful",
                comment=comment,
            )


def _ask(step: str, failure: Failure) -> Decision:
    click.echo(f"\n{clean(step)} failed: {clean(failure.error)}\n{_QUESTION}", err=True)
    key = click.prompt("What now?", type=click.Choice(list(_KEYS)), show_choices=True, err=True)
    return _KEYS[key]
