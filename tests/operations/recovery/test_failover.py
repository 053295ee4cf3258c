"""gatehouse failover, failback and protect, against the stand-in of Region switch."""

import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from operations.recovery import switch
from operations.recovery.calls import DATA_PLANE
from tests.operations.conftest import Run
from tests.operations.recovery.conftest import Command, done
from tests.operations.recovery.world import PRIMARY, STANDBY, World


def test_a_failover_runs_the_plan_and_reports_it(command: Command, world: World, tmp_path: Path) -> None:
    report = done(command("failover", "--to", STANDBY, "--yes", "--reason", "exercise", "--json"))
    assert (report["from_region"], report["to_region"]) == (PRIMARY, STANDBY)
    assert (report["mode"], report["outcome"]) == ("lossless", "completed")
    assert world.did[0] == "move-traffic"
    assert world.did[-2:] == ["promote-database", "verify"]
    assert report["recovery_point"]["measured"] == 0
    assert 0 <= report["recovery_time"]["measured"] < report["recovery_time"]["allowed"]
    (execution,) = world.executions()
    assert execution.request.comment == "failover, replica 1.5 s behind: exercise"
    endings = sorted(file.suffix for file in (tmp_path / "reports").iterdir())
    assert endings == [".html", ".json", ".md"]
    assert len(world.objects) == len(endings)


def test_a_forced_failover_skips_what_the_lost_region_would_have_to_answer(
    command: Command, world: World
) -> None:
    world.gateways[PRIMARY] = "no answer"
    world.silent.add(PRIMARY)
    report = done(command("failover", "--to", STANDBY, "--forced", "--yes", "--json"))
    assert report["mode"] == "forced"
    assert "fence-old-region" not in world.did
    assert report["recovery_point"]["measured"] == 1.5


def test_it_is_forced_by_itself_where_the_region_to_leave_gives_no_answer(
    command: Command, world: World
) -> None:
    world.gateways[PRIMARY] = "no answer"
    assert done(command("failover", "--to", STANDBY, "--yes", "--json"))["mode"] == "forced"


def test_nothing_but_data_planes_is_asked(command: Command, world: World) -> None:
    done(command("failover", "--to", STANDBY, "--yes", "--on-failure", "retry", "--json"))
    done(command("protect", "--yes", "--json"))
    done(command("failback", "--yes", "--json"))
    asked = {(service, operation) for service, _, operation in world.asked}
    beyond = {(service, name) for service, name in asked if name not in DATA_PLANE.get(service, ())}
    assert not beyond


def test_the_region_to_leave_is_not_asked_to_begin_anything(command: Command, world: World) -> None:
    done(command("failover", "--to", STANDBY, "--yes", "--json"))
    begun = {region for _, region, operation in world.asked if operation == "StartPlanExecution"}
    assert begun == {STANDBY}


def test_there_and_back_again(command: Command, world: World) -> None:
    done(command("failover", "--to", STANDBY, "--yes", "--json"))
    refused = command("failback", "--yes")
    assert refused.exit_code == 6
    assert "make it one with `gatehouse protect`" in refused.stderr
    assert done(command("protect", "--yes", "--json"))["action"] == "protect"
    report = done(command("failback", "--yes", "--json"))
    assert (report["action"], report["to_region"]) == ("failback", PRIMARY)
    actions = [(each.request.action, each.request.region) for each in world.executions()]
    assert actions == [("activate", STANDBY), ("postRecovery", PRIMARY), ("activate", PRIMARY)]


def test_the_plan_is_shown_and_the_regions_name_has_to_be_typed(command: Command, world: World) -> None:
    result = command("failover", "--to", STANDBY, input="yes\n")
    assert result.exit_code == 1
    assert "not confirmed: nothing was begun" in result.stderr
    assert "promote-database      5 min" in result.stderr
    assert "Nothing is lost" in result.stderr
    assert not world.executions()
    assert command("failover", "--to", STANDBY, input=f"{STANDBY}\n").exit_code == 0


def test_a_lag_that_grows_with_the_clock_counts_as_it_was_before_the_loss(
    command: Command, world: World
) -> None:
    """The replica followed within 2 s, and then its source was gone for four minutes."""
    world.gateways[PRIMARY] = "no answer"
    world.lag[STANDBY] = [2.0, 1.0, 2.0, 62.0, 122.0, 182.0, 242.0]
    report = done(command("failover", "--to", STANDBY, "--yes", "--json"))
    assert report["recovery_point"]["measured"] == 2.0


def test_a_missed_objective_has_its_own_exit_code(command: Command, world: World) -> None:
    world.lag[STANDBY] = [200.0, 200.0]
    result = command("failover", "--to", STANDBY, "--yes", "--forced", "--json")
    assert result.exit_code == 4
    assert "recovery point objective was missed: 3 min 20 s of 30 s" in result.stderr
    assert json.loads(result.stdout)["outcome"] == "completed"


def test_an_evaluation_that_cannot_be_read_forbids_nothing(command: Command, world: World) -> None:
    def unread(operation: str, _region: str) -> str | None:
        return "ServiceUnavailable" if operation == "GetPlanEvaluationStatus" else None

    world.before = unread
    done(command("failover", "--to", STANDBY, "--yes", "--json"))


def test_a_report_that_cannot_be_written_here_fails_no_recovery(
    run: Run, world: World, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    arguments = (
        "--environment",
        "prod",
        "--to",
        STANDBY,
        "--yes",
        "--report",
        str(tmp_path / "file/reports"),
    )
    result = run("failover", *arguments)
    assert result.exit_code == 0, result.output
    assert "cannot be written to" in result.stderr
    assert len(world.objects) == 3


@pytest.mark.usefixtures("cold_standby")
@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_a_cold_standby_is_deployed_first(
    command: Command, world: World, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    plans = dict(world.service.plans)
    world.service.plans.clear()

    def deployed(_command: list[str], *, stdout: Any, **_: Any) -> Any:
        assert stdout is sys.stderr
        world.service.plans.update(plans)
        return Mock(returncode=0)

    monkeypatch.setattr(switch, "subprocess", Mock(run=deployed))
    result = command("failover", "--to", STANDBY, input=f"{answer}\n{STANDBY}\n")
    assert result.exit_code == code, result.output
    shown = "cdk deploy -c environment=prod -c standby=active --exclusively 'gatehouse-prod/Standby-*'"
    assert shown in result.stderr
    assert len(world.executions()) == (1 if code == 0 else 0)


def test_an_environment_without_a_standby_is_told_so(run: Run) -> None:
    result = run("failover", "--environment", "dev", "--to", STANDBY)
    assert result.exit_code == 2
    assert "dev has no standby region" in result.stderr


def test_a_region_that_is_not_the_environments_is_refused(command: Command) -> None:
    result = command("failover", "--to", "eu-west-1", "--yes")
    assert result.exit_code == 2
    assert "allowed: us-east-1 or us-west-2" in result.stderr


def test_what_is_done_already_is_reported_again(command: Command, world: World) -> None:
    """Whoever lost sight of an execution learns how it ended."""
    first = done(command("failover", "--to", STANDBY, "--yes", "--json"))
    again = command("failover", "--to", STANDBY, "--yes", "--json")
    assert done(again) == first
    assert "us-west-2 serves already" in again.stderr
    assert len(world.executions()) == 1
