"""One execution of a plan: its steps in turn, as the service would run them."""

import asyncio
import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from local.region_switch.blocks import Block, BlockError, Executor, Mode, function_in, is_skipped
from local.region_switch.plan import Plan, Step
from local.region_switch.rules import steps_of

ENDED = frozenset({"completed", "completedWithExceptions", "canceled", "failed", "planExecutionTimedOut"})
_APPROVAL = "ManualApproval"
_PARALLEL = "Parallel"


@dataclass
class StepState:
    """Where a step is."""

    name: str
    status: str = "notStarted"
    mode: Mode = "graceful"
    started: float | None = None
    ended: float | None = None
    # Why its last run failed.
    error: str | None = None
    # Set by what an operator does while the step waits: `retry`, `skip`, `approve` or `decline`.
    decision: asyncio.Queue[str] = field(default_factory=asyncio.Queue)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What an execution was started with. minute_seconds: how long a minute of the plan lasts here."""

    plan: Plan
    workflow: Mapping[str, Any]
    region: str
    mode: Mode
    comment: str = ""
    recovery_execution_id: str | None = None
    minute_seconds: float = 0.0

    @property
    def action(self) -> str:
        """What the workflow does: `activate`, `deactivate` or `postRecovery`."""
        return str(self.workflow["workflowTargetAction"])

    @property
    def active_regions(self) -> tuple[str, str]:
        """The region that serves callers once the workflow has ended, and the other."""
        (other,) = (region for region in self.plan["regions"] if region != self.region)
        return (self.region, other) if self.action == "activate" else (other, self.region)


class Execution:
    """Runs a workflow; `state`, `steps` and `events` tell how far it is, as the API words it.

    A step that fails pauses the execution until it is retried, skipped or the execution is cancelled.
    """

    def __init__(self, request: Request, executors: Mapping[str, Executor]) -> None:
        self.id = uuid4().hex
        self.request = request
        self.mode = request.mode
        self.started = _now()
        self.ended: float | None = None
        steps = steps_of(request.workflow)
        self.steps = {step["name"]: StepState(step["name"], mode=request.mode) for step in steps}
        self.events: list[dict[str, Any]] = []
        self._executors = executors
        self._task: asyncio.Task[None] | None = None
        self._end_state: str | None = None
        self._skipped = False

    @property
    def state(self) -> str:
        """How far it is: one of ENDED once it is over."""
        if self._end_state is not None:
            return self._end_state
        statuses = {step.status for step in self.steps.values()}
        if "failed" in statuses:
            return "pausedByFailedStep"
        if "pendingApproval" in statuses:
            return "pendingManualApproval"
        return "inProgress" if self.events else "pending"

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._task = asyncio.create_task(self._run())

    async def cancel(self) -> None:
        """Stop where it is: what has been done stays done."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    def decide(self, step: str, decision: str) -> None:
        """Tell a waiting step what an operator decided."""
        self.steps[step].decision.put_nowait(decision)

    def switch(self, mode: Mode) -> None:
        """Run what has not ended yet in another mode."""
        self.mode = mode
        for step in self.steps.values():
            if step.ended is None:
                step.mode = mode
        self._tell(f"executionBehaviorChangedTo{mode.capitalize()}")

    async def _run(self) -> None:
        self._tell("executionStarted")
        try:
            for step in self.request.workflow.get("steps", ()):
                await self._step(step)
        except asyncio.CancelledError:
            self._end("canceled", "executionCanceled")
        except _DeclinedError:
            self._end("failed", "executionFailed")
        except Exception:
            # Of the stand-in: whoever watches would wait for ever.
            self._end("failed", "executionFailed")
            raise
        else:
            self._end("completedWithExceptions" if self._skipped else "completed", "executionSucceeded")

    async def _step(self, step: Step) -> None:
        state = self.steps[step["name"]]
        state.status, state.started = "running", _now()
        self._tell("stepStarted", step)
        try:
            status = await self._until_done(step, state)
        except asyncio.CancelledError:
            state.status, state.ended = "canceled", _now()
            self._tell("stepCanceled", step)
            raise
        state.status, state.ended = status, _now()
        self._tell("stepSkipped" if status == "skipped" else "stepSucceeded", step)

    async def _until_done(self, step: Step, state: StepState) -> str:
        (configuration,) = step["executionBlockConfiguration"].values()
        while True:
            if is_skipped(configuration, state.mode):
                return "skipped"
            try:
                await self._do(step, state, configuration)
            except BlockError as error:
                state.status = "failed"
                self._tell("stepFailed", step, error=str(error))
                self._tell("stepPausedByError", step)
                if await state.decision.get() == "skip":
                    self._skipped = True
                    return "skipped"
                state.status = "running"
            else:
                return "completed"

    async def _do(self, step: Step, state: StepState, configuration: Mapping[str, Any]) -> None:
        kind = step["executionBlockType"]
        if kind == _PARALLEL:
            await self._all(configuration["steps"])
            return
        minutes, state.error = configuration.get("timeoutMinutes"), None
        seconds = None if minutes is None else minutes * self.request.minute_seconds or None
        try:
            async with asyncio.timeout(seconds):
                if kind == _APPROVAL:
                    await self._approved(step, state)
                else:
                    await self._execute(step, state, configuration)
        except TimeoutError:
            reason = "" if state.error is None else f": {state.error}"
            raise BlockError(f"it is not done after {minutes} minutes{reason}") from None

    async def _all(self, steps: list[Step]) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                for step in steps:
                    tasks.create_task(self._step(step))
        except* _DeclinedError:
            declined = True
        else:
            declined = False
        if declined:
            raise _DeclinedError

    async def _execute(self, step: Step, state: StepState, configuration: Mapping[str, Any]) -> None:
        """Run the block, and a function that failed again at its interval: the time limit ends that."""
        kind = step["executionBlockType"]
        if kind not in self._executors:
            raise BlockError(f"nothing here executes blocks of type {kind}")
        pause = configuration.get("retryIntervalMinutes", 0) * self.request.minute_seconds
        while True:
            try:
                await self._executors[kind](self._block(step, state, configuration))
            except BlockError as error:
                if not (pause and "timeoutMinutes" in configuration):
                    raise
                state.error = str(error)
                self._tell("stepUpdate", step, error=state.error)
                await asyncio.sleep(pause)
            else:
                return

    def _block(self, step: Step, state: StepState, configuration: Mapping[str, Any]) -> Block:
        active, other = self.request.active_regions
        regions = {
            "activatingRegion": active,
            "deactivatingRegion": other,
            "activeRegion": active,
            "inactiveRegion": other,
        }
        return Block(
            type=step["executionBlockType"],
            configuration=configuration,
            step=step["name"],
            action=self.request.action,
            activating=active,
            deactivating=other,
            mode=state.mode,
            function=function_in(configuration, regions),
        )

    async def _approved(self, step: Step, state: StepState) -> None:
        state.status = "pendingApproval"
        self._tell("stepPendingApproval", step)
        decision = await state.decision.get()
        state.status = "running"
        if decision == "decline":
            state.status, state.ended = "failed", _now()
            self._tell("stepFailed", step, error="the approval was declined")
            raise _DeclinedError

    def _end(self, state: str, event: str) -> None:
        self._end_state, self.ended = state, _now()
        self._tell(event)

    def _tell(self, kind: str, step: Step | None = None, *, error: str | None = None) -> None:
        event: dict[str, Any] = {"eventId": uuid4().hex, "timestamp": _now(), "type": kind}
        if step is not None:
            event |= {"stepName": step["name"], "executionBlockType": step["executionBlockType"]}
        if error is not None:
            event["error"] = error
        if self.events:
            event["previousEventId"] = self.events[-1]["eventId"]
        self.events.append(event)


class _DeclinedError(Exception):
    """Somebody declined an approval."""


def _now() -> float:
    return datetime.datetime.now(datetime.UTC).timestamp()
