"""The operations of the service, on plans and executions in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.region_switch.blocks import Executor
from local.region_switch.execution import ENDED, Execution, Request, StepState
from local.region_switch.plan import Plan, workflow_of
from local.region_switch.rules import AFTERWARDS, steps_of

_SUCCEEDED = ("completed", "completedWithExceptions")


class ServiceError(Exception):
    """An error of the API: its code, and a message for whoever called."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who signed a request, and for the endpoint of which region."""

    access_key: str
    region: str


class RegionSwitch:
    """Plans by ARN, and every execution of each, newest last; one at a time runs.

    minute_seconds: how long a minute of a plan's time limits and retry intervals lasts here; with 0, a step
    fails at its first error and has no time limit. roles: what access keys are the role of, for approvals;
    without them everybody may approve.
    """

    def __init__(
        self,
        executors: Mapping[str, Executor],
        *,
        minute_seconds: float = 0.0,
        roles: Mapping[str, str] | None = None,
    ) -> None:
        self.plans: dict[str, Plan] = {}
        self.executions: dict[str, list[Execution]] = {}
        self.warnings: dict[str, list[dict[str, Any]]] = {}
        self._executors = executors
        self._minute_seconds = minute_seconds
        self._roles = roles
        self._answers: dict[str, dict[str, Any]] = {}

    def add(self, arn: str, plan: Plan, *, warnings: Sequence[dict[str, Any]] = ()) -> None:
        """Take a plan; `warnings` are what the service would say of its readiness."""
        self.plans[arn], self.executions[arn] = plan, []
        self.warnings[arn] = list(warnings)

    def check(self, operation: str, request: Mapping[str, Any], caller: Caller) -> None:
        """Refuse what depends on who asks, and where. Raises ServiceError."""
        if operation == "StartPlanExecution" and caller.region != request["targetRegion"]:
            message = f"a plan for {request['targetRegion']} is started there, not in {caller.region}"
            raise ServiceError("IllegalArgumentException", message)
        if operation == "ApprovePlanExecutionStep" and self._roles is not None:
            step = self._step(self._waiting(request, "pendingApproval"), request["stepName"])
            wanted = step["executionBlockConfiguration"]["executionApprovalConfig"]["approvalRole"]
            if self._roles.get(caller.access_key) != wanted:
                raise ServiceError("AccessDeniedException", f"only {wanted} may approve", status=403)

    async def start_plan_execution(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """StartPlanExecution."""
        token = request.get("clientToken", "")
        if token in self._answers:
            return self._answers[token]
        arn, plan = self._plan(request["planArn"])
        running = self._running(arn)
        if running is not None:
            raise ServiceError(
                "IllegalStateException", f"execution {running.id} of the plan is still running"
            )
        region, action = request["targetRegion"], request["action"]
        workflow = workflow_of(plan, action=action, region=region)
        if workflow is None or region not in plan["regions"]:
            raise ServiceError("IllegalArgumentException", f"the plan has no workflow to {action} {region}")
        if action == AFTERWARDS:
            self._check_recovery(arn, request)
        wanted = Request(
            plan=plan,
            workflow=workflow,
            region=region,
            mode=request.get("mode", "graceful"),
            comment=request.get("comment", ""),
            recovery_execution_id=request.get("recoveryExecutionId"),
            minute_seconds=self._minute_seconds,
        )
        execution = Execution(wanted, self._executors)
        self.executions[arn].append(execution)
        execution.start()
        answer = {"executionId": execution.id, "plan": arn, "planVersion": "1"}
        answer[f"{'de' if action == 'deactivate' else ''}activateRegion"] = region
        if token:
            self._answers[token] = answer
        return answer

    async def close(self) -> None:
        """End what runs."""
        for executions in self.executions.values():
            for execution in executions:
                await execution.cancel()

    async def get_plan_execution(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """GetPlanExecution."""
        arn, plan = self._plan(request["planArn"])
        execution = self._execution(arn, request["executionId"])
        steps = [_step(state) for state in execution.steps.values()]
        return _summary(arn, execution) | {"stepStates": steps, "plan": {"arn": arn, **plan}}

    async def list_plan_executions(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """ListPlanExecutions: the newest first."""
        arn, _ = self._plan(request["planArn"])
        wanted = request.get("state")
        found = [e for e in reversed(self.executions[arn]) if wanted in (None, e.state)]
        return {"items": [_summary(arn, execution) for execution in found]}

    async def list_plan_execution_events(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """ListPlanExecutionEvents: the newest first."""
        arn, _ = self._plan(request["planArn"])
        return {"items": list(reversed(self._execution(arn, request["executionId"]).events))}

    async def get_plan_evaluation_status(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """GetPlanEvaluationStatus."""
        arn, _ = self._plan(request["planArn"])
        state = "actionRequired" if self.warnings[arn] else "passed"
        return {"planArn": arn, "evaluationState": state, "warnings": self.warnings[arn]}

    async def get_plan_in_region(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """GetPlanInRegion."""
        arn, plan = self._plan(request["arn"])
        return {"plan": {"arn": arn, "version": "1", **plan}}

    async def list_plans_in_region(self, _request: Mapping[str, Any]) -> dict[str, Any]:
        """ListPlansInRegion."""
        return {
            "plans": [
                {
                    "arn": arn,
                    **{
                        k: plan[k]
                        for k in ("name", "regions", "recoveryApproach", "primaryRegion")
                        if k in plan
                    },
                }
                for arn, plan in self.plans.items()
            ]
        }

    async def approve_plan_execution_step(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """ApprovePlanExecutionStep."""
        execution = self._waiting(request, "pendingApproval")
        execution.decide(request["stepName"], request["approval"])
        return {}

    async def update_plan_execution_step(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """UpdatePlanExecutionStep: skip a step that failed, or run it again in the other mode."""
        execution = self._waiting(request, "failed")
        if request["actionToTake"] == "skip":
            execution.decide(request["stepName"], "skip")
        else:
            execution.steps[request["stepName"]].mode = "ungraceful"
            execution.decide(request["stepName"], "retry")
        return {}

    async def update_plan_execution(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """UpdatePlanExecution: run failed steps again, or everything that is left in another mode."""
        execution = self._unended(request)
        action = request["action"]
        if action == "pause":
            raise ServiceError("IllegalStateException", "pausing by hand is not simulated")
        if action != "resume":
            execution.switch("ungraceful" if action == "switchToUngraceful" else "graceful")
        for step in execution.steps.values():
            if step.status == "failed" and action == "resume":
                execution.decide(step.name, "retry")
        return {}

    async def cancel_plan_execution(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """CancelPlanExecution."""
        await self._unended(request).cancel()
        return {}

    def _plan(self, arn: str) -> tuple[str, Plan]:
        if arn not in self.plans:
            raise ServiceError("ResourceNotFoundException", f"there is no plan {arn}", status=404)
        return arn, self.plans[arn]

    def _execution(self, arn: str, execution_id: str) -> Execution:
        for execution in self.executions[arn]:
            if execution.id == execution_id:
                return execution
        raise ServiceError("ResourceNotFoundException", f"there is no execution {execution_id}", status=404)

    def _unended(self, request: Mapping[str, Any]) -> Execution:
        execution = self._execution(self._plan(request["planArn"])[0], request["executionId"])
        if execution.state in ENDED:
            raise ServiceError("IllegalStateException", f"the execution is {execution.state}")
        return execution

    def _running(self, arn: str) -> Execution | None:
        return next((e for e in self.executions[arn] if e.state not in ENDED), None)

    def _check_recovery(self, arn: str, request: Mapping[str, Any]) -> None:
        """What is done after a recovery needs one that has succeeded, of the other region."""
        if "recoveryExecutionId" not in request:
            raise ServiceError("IllegalArgumentException", "recoveryExecutionId is missing")
        recovery = self._execution(arn, request["recoveryExecutionId"])
        wanted = recovery.request
        if (
            wanted.action != "activate"
            or recovery.state not in _SUCCEEDED
            or wanted.region == request["targetRegion"]
        ):
            message = f"{recovery.id} is no recovery that succeeded in the opposite region"
            raise ServiceError("IllegalArgumentException", message)

    def _waiting(self, request: Mapping[str, Any], status: str) -> Execution:
        execution = self._execution(self._plan(request["planArn"])[0], request["executionId"])
        name = request["stepName"]
        if self._step(execution, name) is None:
            raise ServiceError("ResourceNotFoundException", f"the execution has no step {name!r}", status=404)
        if execution.steps[name].status != status:
            message = f"step {name!r} is {execution.steps[name].status}, not {status}"
            raise ServiceError("IllegalStateException", message)
        return execution

    def _step(self, execution: Execution, name: str) -> Any:
        steps = steps_of(execution.request.workflow)
        return next((step for step in steps if step["name"] == name), None)


def _summary(arn: str, execution: Execution) -> dict[str, Any]:
    wanted = execution.request
    answer: dict[str, Any] = {
        "planArn": arn,
        "executionId": execution.id,
        "version": "1",
        "comment": wanted.comment,
        "startTime": execution.started,
        "mode": execution.mode,
        "executionState": execution.state,
        "executionAction": wanted.action,
        "executionRegion": wanted.region,
    }
    if wanted.recovery_execution_id is not None:
        answer["recoveryExecutionId"] = wanted.recovery_execution_id
    if execution.ended is not None:
        answer |= {
            "endTime": execution.ended,
            "actualRecoveryTime": f"PT{execution.ended - execution.started:.0f}S",
        }
    return answer


def _step(state: StepState) -> dict[str, Any]:
    step = {"name": state.name, "status": state.status, "stepMode": state.mode}
    times = {"startTime": state.started, "endTime": state.ended}
    return step | {name: moment for name, moment in times.items() if moment is not None}
