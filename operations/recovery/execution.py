"""Executions of a Region switch plan: begun, found again from another machine, and watched to their end."""

import datetime
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from operations.recovery.reach import AWS_ERRORS, is_passing
from operations.recovery.report import DONE, Outcome, StepTime

POLL_SECONDS = 2.0
# Modes: whether the region that is left takes part.
GRACEFUL, UNGRACEFUL = "graceful", "ungraceful"
_OUTCOMES: dict[str, Outcome] = {
    "completed": "completed",
    "completedMonitoringApplicationHealth": "completed",
    "completedWithExceptions": "completed with skipped steps",
    "canceled": "cancelled",
    "failed": "failed",
    "planExecutionTimedOut": "failed",
}
_WAITS_FOR_SOMEBODY = {"pausedByFailedStep", "pausedByOperator", "pendingManualApproval"}
_LONGEST_COMMENT = 1024
_NO_REASON = "no reason is given"


@dataclass(frozen=True, kw_only=True)
class Past:
    """An execution as the history lists it. Times are seconds since the epoch.

    ended: None also for one that is done while Region switch still watches the application's alarms.
    """

    id: str
    state: str
    mode: str
    action: str
    region: str
    comment: str
    started: float
    ended: float | None

    @property
    def outcome(self) -> Outcome:
        """How it ended; `running` until then."""
        return _OUTCOMES.get(self.state, "running")

    @property
    def is_done(self) -> bool:
        """Whether it did what it was for."""
        return self.outcome in DONE


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A failed try of a step.

    event: its ID, which no other try has. is_told: whether an event tells of it; until then its step's state
    alone does.
    """

    event: str
    error: str
    is_told: bool = True


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How far an execution is. failures: the last of each step. Times are seconds since the epoch."""

    id: str
    state: str
    mode: str
    action: str
    region: str
    started: float
    ended: float | None
    steps: Sequence[StepTime]
    failures: dict[str, Failure]
    comment: str = ""

    @property
    def outcome(self) -> Outcome:
        """How it ended; `running` until then."""
        return _OUTCOMES.get(self.state, "running")

    @property
    def is_done(self) -> bool:
        """Whether it did what it was for."""
        return self.outcome in DONE

    @property
    def waits_for_somebody(self) -> bool:
        """Whether it goes on only when an operator decides something."""
        return self.state in _WAITS_FOR_SOMEBODY

    def failed_steps(self) -> list[tuple[str, Failure]]:
        """Each step that waits because it failed, with why; where no event tells of any, all that failed."""
        failed = [step for step in self.steps if step.status == "failed"]
        told = [(step.name, self.failures[step.name]) for step in failed if step.name in self.failures]
        return told or [
            (step.name, Failure(event=f"{step.name} {step.started}", error=_NO_REASON, is_told=False))
            for step in failed
        ]


def begin(
    client: Any,
    plan_arn: str,
    *,
    region: str,
    mode: str,
    action: str,
    comment: str,
    recovery: str | None = None,
) -> str:
    """Start the plan for a region; its ID. botocore's ClientError if another execution runs.

    recovery: the execution that a `postRecovery` comes after. A repetition of a lost request starts nothing
    twice: botocore sends the same token with it.
    """
    after = {} if recovery is None else {"recoveryExecutionId": recovery}
    answer = client.start_plan_execution(
        planArn=plan_arn,
        targetRegion=region,
        action=action,
        mode=mode,
        comment=comment[:_LONGEST_COMMENT],
        **after,
    )
    return str(answer["executionId"])


def history(client: Any, plan_arn: str) -> list[Past]:
    """The executions that a region knows of, the newest first."""
    pages = client.get_paginator("list_plan_executions").paginate(planArn=plan_arn)
    found = [
        Past(
            id=item["executionId"],
            state=item["executionState"],
            mode=item["mode"],
            action=item["executionAction"],
            region=item["executionRegion"],
            comment=item.get("comment", ""),
            started=_seconds(item["startTime"]) or 0.0,
            ended=_seconds(item.get("endTime")),
        )
        for page in pages
        for item in page.get("items", ())
    ]
    return sorted(found, key=lambda past: past.started, reverse=True)


def look(client: Any, plan_arn: str, execution_id: str) -> Execution:
    """How far an execution is now."""
    asked = {"planArn": plan_arn, "executionId": execution_id}
    pages = list(client.get_paginator("get_plan_execution").paginate(**asked))
    answer = pages[0]
    failures = _failures(client, plan_arn, execution_id)
    return Execution(
        id=execution_id,
        state=answer["executionState"],
        mode=answer["mode"],
        action=answer["executionAction"],
        region=answer["executionRegion"],
        started=_seconds(answer["startTime"]) or 0.0,
        ended=_seconds(answer.get("endTime")),
        steps=[
            StepTime(
                name=step["name"],
                status=step["status"],
                started=_seconds(step.get("startTime")),
                ended=_seconds(step.get("endTime")),
                error=failures[step["name"]].error if step["name"] in failures else None,
                mode=step.get("stepMode"),
            )
            for page in pages
            for step in page.get("stepStates", ())
        ],
        failures=failures,
        comment=answer.get("comment", ""),
    )


def watch(
    client: Any,
    plan_arn: str,
    execution_id: str,
    *,
    show: Callable[[Execution], None],
    is_enough: Callable[[Execution], bool] = lambda execution: execution.waits_for_somebody,
    silent: Callable[[Exception], None] = lambda _error: None,
    poll_seconds: float = POLL_SECONDS,
) -> Execution:
    """Show an execution again and again, until it has ended or `is_enough`.

    silent: told of each time that AWS was too busy to say or did not answer; then it is asked again, for as
    long as it takes. Any other of botocore's errors is raised.
    """
    while True:
        try:
            execution = look(client, plan_arn, execution_id)
        except AWS_ERRORS as error:
            if not is_passing(error):
                raise
            silent(error)
        else:
            show(execution)
            if execution.outcome != "running" or is_enough(execution):
                return execution
        time.sleep(poll_seconds)


def _failures(client: Any, plan_arn: str, execution_id: str) -> dict[str, Failure]:
    """The last failure of each step that had one."""
    pages = client.get_paginator("list_plan_execution_events").paginate(
        planArn=plan_arn, executionId=execution_id
    )
    events = [event for page in pages for event in page.get("items", ())]
    return {
        event["stepName"]: Failure(event=event["eventId"], error=event.get("error", _NO_REASON))
        for event in sorted(events, key=lambda event: event["timestamp"])
        if event.get("stepName") and (event.get("error") or event["type"] == "stepFailed")
    }


def _seconds(moment: datetime.datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
