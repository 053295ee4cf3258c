"""The recovery commands while AWS, a step or the operator fails."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from operations.recovery import situation
from operations.synthesis import ROOT
from tests.operations.recovery.conftest import Command
from tests.operations.recovery.world import ARN, PRIMARY, STANDBY, Server, World, times


@pytest.mark.parametrize("code", ["ThrottlingException", "ServiceUnavailable"])
def test_what_passes_is_waited_for_while_the_plan_runs(failover: Command, world: World, code: str) -> None:
    world.before = times(3, code, "GetPlanExecution")
    result = failover()
    assert result.exit_code == 0, result.output
    assert result.stderr.count("does not say how far it is") == 1


def test_a_beginning_without_an_answer_is_not_taken_for_none(failover: Command, world: World) -> None:
    world.before = times(1, "ServiceUnavailable", "StartPlanExecution")
    result = failover()
    assert result.exit_code == 3
    assert "nobody knows whether an execution has begun" in result.stderr
    assert failover().exit_code == 0


def test_of_two_operators_at_once_one_begins_and_the_other_is_told(
    failover: Command, world: World, server: Server
) -> None:
    world.gates["move-traffic"] = threading.Event()

    def begun_elsewhere(operation: str, region: str) -> str | None:
        if operation == "StartPlanExecution":
            world.before = lambda _operation, _region: None
            server.client("arc-region-switch", region_name=region).start_plan_execution(
                planArn=ARN, targetRegion=STANDBY, action="activate"
            )
        return None

    world.before = begun_elsewhere
    result = failover()
    assert result.exit_code == 6
    assert "somebody began another execution just now" in result.stderr
    # In the words of AWS, too, as it refuses a plan's other states alike.
    assert "is still running); look with: gatehouse" in result.stderr
    assert len(world.executions()) == 1


def test_an_execution_in_the_other_direction_is_not_taken_for_this_one(
    failover: Command, command: Command, world: World
) -> None:
    world.failing["verify"] = 1
    assert failover().exit_code == 5
    result = command("failback", "--yes")
    assert result.exit_code == 6
    assert "(activate us-west-2, begun" in result.stderr
    (execution,) = world.executions()
    cancel = f"cancel-plan-execution --region us-west-2 --plan-arn {ARN} --execution-id {execution.id}"
    assert cancel in result.stderr


def test_credentials_that_expire_leave_the_execution_running(failover: Command, world: World) -> None:
    world.gates["promote-database"] = threading.Event()

    def expired(operation: str, _region: str) -> str | None:
        return "ExpiredTokenException" if operation == "GetPlanExecution" else None

    world.before = expired
    result = failover()
    assert result.exit_code == 5
    assert "sign in and watch it again with: gatehouse" in result.stderr
    _open_once_watched(world, "promote-database")
    assert failover().exit_code == 0
    assert len(world.executions()) == 1


def test_whoever_stops_watching_is_told_how_to_go_on(failover: Command, world: World) -> None:
    def interrupted(operation: str, _region: str) -> str | None:
        if operation == "GetPlanExecution":
            raise KeyboardInterrupt
        return None

    world.before = interrupted
    result = failover()
    assert result.exit_code == 130
    assert "goes on without you; watch it again, from any machine, with: gatehouse" in result.stderr


def test_a_region_that_hangs_keeps_nothing_waiting(
    failover: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(situation, "ANSWER_SECONDS", 0.5)
    world.gateways[PRIMARY] = "no answer"
    released = threading.Event()

    def hanging(_operation: str, region: str) -> str | None:
        if region == PRIMARY:
            released.wait()
        return None

    world.before = hanging
    try:
        result = failover("--forced")
    finally:
        released.set()
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("world", [True], indirect=True, ids=["approval"])
def test_an_approval_is_waited_for_by_a_person(failover: Command, world: World, server: Server) -> None:
    waiting = failover()
    assert waiting.exit_code == 5
    (execution,) = world.executions()
    assert (
        f"--region {STANDBY} --plan-arn {ARN} --execution-id {execution.id} --step-name approve "
        in waiting.stderr
    )
    assert not world.did
    server.client("arc-region-switch", region_name=STANDBY).approve_plan_execution_step(
        planArn=ARN, executionId=execution.id, stepName="approve", approval="approve"
    )
    assert failover().exit_code == 0


def test_another_machine_goes_on_when_the_operators_dies(
    failover: Command, world: World, environ: dict[str, str], tmp_path: Path
) -> None:
    """The first operator is killed between two steps, without a word."""
    world.gates["promote-database"] = threading.Event()
    variables = {
        "AWS_ENDPOINT_URL_ARC_REGION_SWITCH": world.url,
        "AWS_ACCESS_KEY_ID": "AKIAOPERATOR",
        "AWS_SECRET_ACCESS_KEY": "example",
    }
    arguments = ["failover", "--environment", "prod", "--to", STANDBY, "--lossless", "--yes"]
    arguments += ["--report", str(tmp_path)]
    operator = subprocess.Popen(
        [sys.executable, "-m", "tests.operations.recovery.operator_process", *arguments],
        cwd=ROOT,
        env={**os.environ, **environ, **variables},
        stderr=subprocess.PIPE,
        text=True,
    )
    with operator:
        assert operator.stderr is not None
        for line in operator.stderr:
            if "promote-database running" in line:
                break
        else:
            pytest.fail("the operator ended before the step began")
        operator.send_signal(signal.SIGKILL)
    _open_once_watched(world, "promote-database")
    result = failover("--json")
    assert result.exit_code == 0, result.output
    assert "going on with execution" in result.stderr
    assert json.loads(result.stdout)["action"] == "failover"
    assert sorted(world.did) == sorted(set(world.did))


def _open_once_watched(world: World, step: str) -> None:
    """Let a step go on when somebody looks how far it is."""

    def watched(operation: str, _region: str) -> str | None:
        if operation == "GetPlanExecution":
            world.gates[step].set()
        return None

    world.before = watched
