"""Steps that fail, and who decides what becomes of them."""

import json

import pytest

from operations.recovery import operate
from operations.recovery.execution import Failure
from operations.recovery.operate import Policy
from tests.operations.recovery.conftest import Command
from tests.operations.recovery.world import ARN, STANDBY, Server, World, times


def test_a_step_that_fails_twice_is_run_again(failover: Command, world: World) -> None:
    world.failing["promote-database"] = 2
    result = failover("--on-failure", "retry")
    assert result.exit_code == 0, result.output
    assert world.did.count("promote-database") == 1
    assert result.stderr.count("promote-database: retry") == 2


def test_a_step_that_keeps_failing_is_left_and_decided_by_a_later_command(
    failover: Command, world: World
) -> None:
    world.failing["route-objects"] = 99
    left = failover("--on-failure", "retry")
    assert left.exit_code == 5
    assert "route-objects failed: route-objects is out of order. Decide with: " in left.stderr
    assert "promote-database" not in world.did
    again = failover("--skip", "route-objects", "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["outcome"] == "completed with skipped steps"
    assert len(world.executions()) == 1


def test_a_step_may_be_run_as_if_the_other_region_were_lost(failover: Command, world: World) -> None:
    world.failing["await-replica"] = 1
    result = failover("--on-failure", "ungraceful", "--json")
    assert result.exit_code == 0, result.output
    assert "await-replica" not in world.did
    # The replica was not waited for, so that what it lacked counts.
    assert json.loads(result.stdout)["recovery_point"]["measured"] == 1.5


def test_an_execution_is_forced_when_the_old_region_is_lost_meanwhile(
    failover: Command, world: World
) -> None:
    """It would wait for half an hour until a step fails that nobody answers."""
    world.failing["fence-old-region"] = 99
    assert failover("--lossless").exit_code == 5
    result = failover("--forced", "--on-failure", "retry", "--json")
    assert result.exit_code == 0, result.output
    assert "it is forced from now on" in result.stderr
    assert not {"fence-old-region", "await-replica"} & set(world.did)
    report = json.loads(result.stdout)
    assert (report["mode"], report["recovery_point"]["measured"]) == ("forced", 1.5)
    assert len(world.executions()) == 1


def test_a_failed_step_may_cancel_the_execution(failover: Command, world: World) -> None:
    world.failing["open-region"] = 1
    result = failover("--on-failure", "cancel", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["outcome"] == "cancelled"
    assert "promote-database" not in world.did


@pytest.mark.parametrize(("answer", "code"), [("r", 0), ("s", 0), ("u", 0), ("c", 1), ("l", 5)])
def test_somebody_who_is_there_is_asked(
    failover: Command, world: World, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setattr(Policy, "asks", True)
    world.failing["verify"] = 1
    result = failover(input=f"{answer}\n")
    assert result.exit_code == code, result.output
    assert "verify failed: verify is out of order" in result.stderr


def test_without_anybody_there_a_failed_step_waits(failover: Command, world: World) -> None:
    world.failing["verify"] = 1
    assert failover().exit_code == 5
    assert world.executions()[0].state == "pausedByFailedStep"


def test_another_operator_may_decide_first(failover: Command, world: World, server: Server) -> None:
    world.failing["verify"] = 1

    def decided_elsewhere(operation: str, region: str) -> str | None:
        if operation != "UpdatePlanExecution":
            return None
        world.before = lambda _operation, _region: None
        server.client("arc-region-switch", region_name=region).update_plan_execution(
            planArn=ARN, executionId=world.executions()[0].id, action="resume"
        )
        return "IllegalStateException"

    world.before = decided_elsewhere
    result = failover("--on-failure", "retry")
    assert result.exit_code == 0, result.output
    assert "verify: somebody else decided it first" in result.stderr


def test_what_somebody_else_decided_while_one_thought_is_not_decided_again(
    failover: Command, world: World, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step runs again already, and must not be skipped."""
    world.failing["verify"] = 1
    monkeypatch.setattr(Policy, "asks", True)

    def answered_late(_step: str, _failure: Failure) -> str:
        client = server.client("arc-region-switch", region_name=STANDBY)
        client.update_plan_execution(planArn=ARN, executionId=world.executions()[0].id, action="resume")
        return "skip"

    monkeypatch.setattr(operate, "_ask", answered_late)
    result = failover("--json")
    assert "verify: somebody else decided it first" in result.stderr
    assert json.loads(result.stdout)["outcome"] == "completed"


def test_a_decision_that_aws_is_too_busy_for_is_taken_later(failover: Command, world: World) -> None:
    world.failing["verify"] = 1
    world.before = times(5, "ThrottlingException", "UpdatePlanExecution")
    result = failover("--on-failure", "retry")
    assert result.exit_code == 0, result.output


def test_a_decision_that_aws_refuses_is_told_as_one(failover: Command, world: World) -> None:
    world.failing["verify"] = 1
    world.before = times(1, "AccessDeniedException", "UpdatePlanExecution")
    result = failover("--on-failure", "retry")
    assert result.exit_code == 5
    assert "AWS refused what was decided for verify: AccessDeniedException: said the test" in result.stderr


def test_a_pause_that_nothing_explains_is_somebodys_to_decide(
    failover: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operate, "_MOST_LOOKS", 3)
    world.failing["verify"] = 1
    world.answers["ListPlanExecutionEvents"] = {}
    result = failover()
    assert result.exit_code == 5
    assert "waits: verify failed: no reason is given. Decide with: gatehouse" in result.stderr


def test_a_decision_that_never_shows_does_not_keep_a_program_for_ever(
    failover: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operate, "_MOST_LOOKS", 3)
    world.failing["verify"] = 1
    world.answers["UpdatePlanExecution"] = {}
    assert failover("--on-failure", "retry").exit_code == 5


def test_what_is_decided_once_is_not_decided_again_until_it_shows(
    failover: Command, world: World, server: Server
) -> None:
    """A retry is accepted, and the execution goes on to be paused for three more looks."""
    world.failing["verify"] = 1
    world.answers["UpdatePlanExecution"] = {}
    looks = [3]

    def shown_late(operation: str, region: str) -> str | None:
        decided = any(asked == "UpdatePlanExecution" for _, _, asked in world.asked)
        if operation == "GetPlanExecution" and decided:
            looks[0] -= 1
        if not looks[0]:
            world.before = lambda _operation, _region: None
            del world.answers["UpdatePlanExecution"]
            server.client("arc-region-switch", region_name=region).update_plan_execution(
                planArn=ARN, executionId=world.executions()[0].id, action="resume"
            )
        return None

    world.before = shown_late
    result = failover("--on-failure", "retry")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("verify: retry") == 1
