"""The stand-in of Region switch, through boto3 as the commands use it."""

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.region_switch.plans import (
    APPROVER,
    ARN,
    PRIMARY,
    STANDBY,
    lambda_step,
    plan_with,
    replica_step,
    step,
)
from tests.region_switch.switch import Switch, World

if TYPE_CHECKING:
    from tests.region_switch.conftest import Serve

PROMOTE = replica_step("promote", after_a_recovery=False)
REPLICATE = replica_step("replicate", after_a_recovery=True)
FENCE = lambda_step("fence", runs_in="deactivatingRegion", Ungraceful={"Behavior": "skip"})
APPROVE = step("approve", "ManualApproval", {"ExecutionApprovalConfig": {"ApprovalRole": APPROVER}})


def together(*steps: dict[str, object]) -> dict[str, object]:
    return step("together", "Parallel", {"ParallelConfig": {"Steps": list(steps)}})


@pytest.fixture
def switch(serve: "Serve") -> Switch:
    return serve(plan_with(FENCE, PROMOTE, after=REPLICATE))


def statuses(answer: dict[str, object]) -> dict[str, str]:
    steps = answer["stepStates"]
    assert isinstance(steps, list)
    return {each["name"]: each["status"] for each in steps}


def test_steps_run_in_their_order_for_the_region_that_is_activated(switch: Switch, world: World) -> None:
    answer = switch.until(switch.start(), "completed")
    assert [(block.step, block.activating, block.deactivating) for block in world.did] == [
        ("fence", STANDBY, PRIMARY),
        ("promote", STANDBY, PRIMARY),
    ]
    assert statuses(answer) == {"fence": "completed", "promote": "completed"}
    assert answer["endTime"] >= answer["startTime"]


def test_a_function_runs_in_the_region_that_its_step_names(switch: Switch, world: World) -> None:
    switch.until(switch.start(), "completed")
    assert world.did[0].function == f"arn:aws:lambda:{PRIMARY}:111111111111:function:fence"


def test_an_ungraceful_execution_leaves_out_what_says_so(switch: Switch, world: World) -> None:
    answer = switch.until(switch.start(mode="ungraceful"), "completed")
    assert statuses(answer) == {"fence": "skipped", "promote": "completed"}
    assert [block.step for block in world.did] == ["promote"]


def test_a_failed_step_pauses_until_it_is_run_again(switch: Switch, world: World) -> None:
    world.failing["fence"] = 2
    execution = switch.start()
    for _ in range(2):
        switch.until(execution, "pausedByFailedStep")
        switch.client.update_plan_execution(planArn=ARN, executionId=execution, action="resume")
    switch.until(execution, "completed")
    errors = [event["error"] for event in switch.events(execution) if event["type"] == "stepFailed"]
    assert errors == ["fence failed", "fence failed"]


def test_a_failed_step_may_be_skipped(switch: Switch, world: World) -> None:
    world.failing["promote"] = None
    execution = switch.start()
    switch.until(execution, "pausedByFailedStep")
    switch.client.update_plan_execution_step(
        planArn=ARN, executionId=execution, stepName="promote", actionToTake="skip", comment="it is done"
    )
    answer = switch.until(execution, "completedWithExceptions")
    assert statuses(answer) == {"fence": "completed", "promote": "skipped"}


def test_a_failed_step_may_go_on_ungracefully(switch: Switch, world: World) -> None:
    world.failing["fence"] = None
    execution = switch.start()
    switch.until(execution, "pausedByFailedStep")
    switch.client.update_plan_execution_step(
        planArn=ARN,
        executionId=execution,
        stepName="fence",
        actionToTake="switchToUngraceful",
        comment="gone",
    )
    answer = switch.until(execution, "completed")
    assert [each["stepMode"] for each in answer["stepStates"]] == ["ungraceful", "graceful"]
    assert statuses(answer)["fence"] == "skipped"


def test_what_is_left_of_an_execution_may_go_on_ungracefully(switch: Switch, world: World) -> None:
    world.failing["fence"] = None
    execution = switch.start()
    switch.until(execution, "pausedByFailedStep")
    for action in ("switchToUngraceful", "resume"):
        switch.client.update_plan_execution(planArn=ARN, executionId=execution, action=action)
    answer = switch.until(execution, "completed")
    assert answer["mode"] == "ungraceful"
    assert [each["stepMode"] for each in answer["stepStates"]] == ["ungraceful", "ungraceful"]


def test_what_is_not_simulated_is_said_to_be(switch: Switch, world: World) -> None:
    with pytest.raises(ClientError, match=r"UnknownOperationException.*ListPlans is not simulated"):
        switch.client.list_plans()
    world.failing["fence"] = None
    execution = switch.start()
    with pytest.raises(ClientError, match="pausing by hand is not simulated"):
        switch.client.update_plan_execution(planArn=ARN, executionId=execution, action="pause")


def test_a_step_that_has_not_failed_is_not_skipped(serve: "Serve") -> None:
    switch = serve(plan_with(APPROVE, PROMOTE))
    execution = switch.start()
    switch.until(execution, "pendingManualApproval")
    with pytest.raises(ClientError, match=r"IllegalStateException.*notStarted, not failed"):
        switch.client.update_plan_execution_step(
            planArn=ARN, executionId=execution, stepName="promote", actionToTake="skip", comment="hurry"
        )


def test_parallel_steps_wait_for_each_other_and_fail_alone(serve: "Serve", world: World) -> None:
    switch = serve(plan_with(together(lambda_step("scale"), lambda_step("await")), PROMOTE))
    world.failing |= {"scale": 1, "await": None}
    execution = switch.start()
    switch.until(execution, "pausedByFailedStep")
    switch.client.update_plan_execution(planArn=ARN, executionId=execution, action="resume")
    answer = switch.until(execution, "pausedByFailedStep")
    while statuses(answer) != {
        "together": "running",
        "scale": "completed",
        "await": "failed",
        "promote": "notStarted",
    }:
        answer = switch.until(execution, "pausedByFailedStep")
    world.failing.clear()
    switch.client.update_plan_execution(planArn=ARN, executionId=execution, action="resume")
    assert set(statuses(switch.until(execution, "completed")).values()) == {"completed"}


def test_a_function_is_run_again_until_its_time_limit(serve: "Serve", world: World) -> None:
    patient = lambda_step("await", TimeoutMinutes=50)
    switch = serve(plan_with(patient), minute_seconds=0.01)
    world.failing["await"] = 3
    switch.until(switch.start(), "completed")
    world.failing["await"] = None
    execution = switch.start()
    switch.until(execution, "pausedByFailedStep")
    (failure,) = [event for event in switch.events(execution) if event["type"] == "stepFailed"]
    assert failure["error"] == "it is not done after 50 minutes: await failed"


def test_only_the_approval_role_approves(serve: "Serve", world: World) -> None:
    switch = serve(plan_with(APPROVE, PROMOTE))
    execution = switch.start()
    switch.until(execution, "pendingManualApproval")
    answer = {"planArn": ARN, "executionId": execution, "stepName": "approve", "approval": "approve"}
    with pytest.raises(ClientError, match="AccessDeniedException"):
        switch.client.approve_plan_execution_step(**answer)
    assert not world.did
    switch.client_of("AKIAAPPROVER").approve_plan_execution_step(**answer)
    switch.until(execution, "completed")


def test_a_declined_approval_ends_the_execution(serve: "Serve", world: World) -> None:
    switch = serve(plan_with(together(APPROVE, lambda_step("scale")), PROMOTE))
    world.failing["scale"] = None
    execution = switch.start()
    switch.until(execution, "pausedByFailedStep")
    switch.client_of("AKIAAPPROVER").approve_plan_execution_step(
        planArn=ARN, executionId=execution, stepName="approve", approval="decline"
    )
    answer = switch.until(execution, "failed")
    assert statuses(answer)["promote"] == "notStarted"
    assert not world.did


def test_an_executor_that_breaks_lets_nobody_wait_for_ever(
    serve: "Serve", monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(_world: World, _block: object) -> None:
        raise KeyError("unknown")

    monkeypatch.setattr(World, "run", break_down)
    switch = serve(plan_with(FENCE))
    switch.until(switch.start(), "failed")


def test_one_execution_runs_at_a_time(switch: Switch, world: World) -> None:
    world.failing["fence"] = None
    execution = switch.start()
    with pytest.raises(ClientError, match=f"IllegalStateException.*{execution}"):
        switch.start()
    switch.client.cancel_plan_execution(planArn=ARN, executionId=execution)
    switch.until(execution, "canceled")
    with pytest.raises(ClientError, match=r"IllegalStateException.*canceled"):
        switch.client.cancel_plan_execution(planArn=ARN, executionId=execution)


def test_a_request_that_is_sent_twice_starts_once(switch: Switch, world: World) -> None:
    world.failing["fence"] = None
    assert switch.start(clientToken="once") == switch.start(clientToken="once")


def test_a_plan_is_started_in_the_region_that_takes_over(switch: Switch) -> None:
    elsewhere = switch.client_of("AKIAOPERATOR", region=PRIMARY)
    with pytest.raises(ClientError, match=r"IllegalArgumentException.*not in us-east-1"):
        elsewhere.start_plan_execution(planArn=ARN, targetRegion=STANDBY, action="activate")


def test_what_comes_after_a_recovery_needs_one_of_the_other_region(switch: Switch, world: World) -> None:
    wanted = {"planArn": ARN, "targetRegion": PRIMARY, "action": "postRecovery"}
    back = switch.client_of("AKIAOPERATOR", region=PRIMARY)
    with pytest.raises(ClientError, match=r"IllegalArgumentException.*recoveryExecutionId"):
        back.start_plan_execution(**wanted)
    recovery = switch.start()
    switch.until(recovery, "completed")
    with pytest.raises(ClientError, match="no recovery that succeeded in the opposite region"):
        switch.client.start_plan_execution(
            **wanted | {"targetRegion": STANDBY, "recoveryExecutionId": recovery}
        )
    execution = back.start_plan_execution(**wanted, recoveryExecutionId=recovery)["executionId"]
    switch.until(execution, "completed")
    assert (world.did[-1].step, world.did[-1].activating) == ("replicate", STANDBY)
