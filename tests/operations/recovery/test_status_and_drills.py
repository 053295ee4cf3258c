"""gatehouse status and drill: how ready an environment is, and game days."""

import datetime
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from operations.recovery import drills
from tests.operations.conftest import Run
from tests.operations.recovery.conftest import Command
from tests.operations.recovery.world import PRIMARY, STANDBY, World

NOW = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
SECRET = "arn:aws:secretsmanager:us-east-1:111111111111:secret:KeyHashing-AbCdEf"
HEALTHY: dict[str, Any] = {
    "DescribeSecret": {"ReplicationStatus": [{"Region": STANDBY, "Status": "InSync"}]},
    "DescribeKey": {"KeyMetadata": {"KeyState": "Enabled", "MultiRegion": True}},
    "DescribeStacks": {
        "Stacks": [
            {
                "Outputs": [
                    {"OutputKey": "UserPoolId", "OutputValue": "us-east-1_Ab"},
                    {"OutputKey": "KeyHashingSecretArn", "OutputValue": SECRET},
                ]
            }
        ]
    },
    "ListUserPoolReplicas": {"UserPoolReplicas": [{"RegionName": STANDBY, "Status": "ACTIVE"}]},
    "DescribeImages": {"imageDetails": [{"imageTags": ["new"], "imagePushedAt": NOW}]},
    "BatchGetImage": {"images": [{}]},
    "ListServiceQuotaWarnings": {"serviceQuotaWarningSummaries": []},
}


def _status(run: Run, code: int) -> dict[str, Any]:
    result = run("status", "--environment", "prod", "--json")
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def _states(found: dict[str, Any]) -> dict[str, str]:
    return {check["what"]: check["state"] for check in found["checks"]}


def test_an_environment_that_is_ready_says_so(run: Run, world: World) -> None:
    found = _status(run, 0)
    assert (found["active"], found["standby"], found["ready"]) == (PRIMARY, STANDBY, True)
    assert set(_states(found)) == {
        *("gateways us-east-1", "gateways us-west-2", "database", "objects"),
        *("secrets", "KMS keys", "users", "images", "quotas", "plan"),
    }
    assert set(_states(found).values()) == {"ok"}
    assert found["objectives"]["behind_seconds"] == 1.5


@pytest.fixture
def world(world: World) -> World:
    """A world whose other services say that nothing is wrong."""
    world.answers |= HEALTHY
    return world


@pytest.fixture
def drill(command: Command) -> Command:
    """Run a drill."""
    return partial(command, "drill")


BROKEN: dict[str, dict[str, Any]] = {
    "secrets": {"DescribeSecret": {"ReplicationStatus": [{"Region": STANDBY, "Status": "Failed"}]}},
    "KMS keys": {"DescribeKey": {"KeyMetadata": {"KeyState": "PendingDeletion", "MultiRegion": True}}},
    "users": {"ListUserPoolReplicas": {"UserPoolReplicas": [{"RegionName": STANDBY, "Status": "CREATING"}]}},
    "images": {"BatchGetImage": {"images": []}},
    "quotas": {
        "ListServiceQuotaWarnings": {
            "serviceQuotaWarningSummaries": [
                {"quotaRegion": STANDBY, "quotaName": "Fargate On-Demand vCPU"},
                {"quotaRegion": PRIMARY, "quotaName": "of no matter"},
            ]
        }
    },
    "objects": {
        "replication": {
            "MetricDataResults": [
                {"Id": "replicationLatency", "Values": [1200.0, 3.0]},
                {"Id": "bytesPendingReplication", "Values": [5e6]},
            ]
        }
    },
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_data_set_that_is_not_over_there_is_a_finding(run: Run, world: World, what: str) -> None:
    world.answers |= BROKEN[what]
    states = _states(_status(run, 1))
    assert {name for name, state in states.items() if state != "ok"} == {what}


def test_objects_that_failed_to_cross_are_a_finding(run: Run, world: World) -> None:
    world.answers["replication"] = {
        "MetricDataResults": [{"Id": "operationsFailedReplication", "Values": [1.0, 2.0]}]
    }
    found = {check["what"]: check["found"] for check in _status(run, 1)["checks"]}
    assert found["objects"] == "3 objects did not cross"


def test_credentials_of_another_account_tell_nothing(run: Run, world: World) -> None:
    world.account = "999999999999"
    result = run("status", "--environment", "prod")
    assert result.exit_code == 6
    assert "are of account 999999999999" in result.stderr


def test_a_lost_region_gives_no_answer_and_keeps_nothing_waiting(run: Run, world: World) -> None:
    world.silent.add(PRIMARY)
    world.gateways[PRIMARY] = "no answer"
    found = _status(run, 3)
    assert found["silent"] == [PRIMARY]
    states = _states(found)
    assert states["gateways us-east-1"] == states["secrets"] == states["images"] == "no answer"
    assert states["KMS keys"] == states["plan"] == states["database"] == "ok"
    table = run("status", "--environment", "prod").stdout
    assert "gatehouse failover --environment prod --to us-west-2" in table


def test_a_standby_that_does_not_say_whose_the_credentials_are_is_told_of(run: Run, world: World) -> None:
    world.silent.add(STANDBY)
    assert _states(_status(run, 3))["KMS keys"] == "no answer"


def test_without_any_gateway_no_move_is_advised(run: Run, world: World) -> None:
    world.gateways = dict.fromkeys(world.gateways, "no answer")
    table = run("status", "--environment", "prod").stdout
    assert "is it this machine's own network?" in table
    assert "gatehouse failover" not in table


@pytest.mark.usefixtures("cold_standby")
def test_a_cold_standby_lacks_nothing_that_a_failover_deploys(run: Run, drill: Command, world: World) -> None:
    world.service.plans.clear()
    world.gateways[STANDBY] = "no answer"
    assert _status(run, 0)["ready"]
    assert drill().exit_code == 0


def test_after_a_failover_the_roles_are_the_other_way_round(run: Run, world: World, tmp_path: Path) -> None:
    arguments = ("--environment", "prod", "--report", str(tmp_path), "--yes")
    assert run("failover", "--to", STANDBY, *arguments).exit_code == 0
    found = _status(run, 1)
    assert (found["active"], found["standby"]) == (STANDBY, PRIMARY)
    assert _states(found)["database"] == "failed"
    assert found["objectives"]["last_recovery_seconds"] is not None
    assert run("protect", *arguments).exit_code == 0
    assert _states(_status(run, 0))["database"] == "ok"


def test_a_drill_changes_nothing_and_is_remembered(run: Run, drill: Command, world: World) -> None:
    result = drill("--json")
    assert result.exit_code == 0, result.output
    assert not world.executions()
    last = _status(run, 0)["last_drill"]
    assert (last["mode"], last["outcome"]) == ("readiness", "completed")


def test_a_drill_finds_what_a_failover_would_have_met(drill: Command, world: World) -> None:
    world.answers |= BROKEN["users"]
    world.gateways[STANDBY] = "unhealthy"
    result = drill("--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["findings"] == [
        "the gateways of us-west-2 are unhealthy",
        "users: replica creating",
    ]


@pytest.mark.parametrize(("problem", "code"), [(None, 0), ("HTTP status 401", 1)])
def test_a_known_key_has_to_work_in_the_standby(
    drill: Command, world: World, monkeypatch: pytest.MonkeyPatch, problem: str | None, code: int
) -> None:
    asked: list[tuple[str, str]] = []

    def accepts(url: str, key: str) -> str | None:
        asked.append((url, key))
        return problem

    monkeypatch.setattr(drills, "accepts", accepts)
    result = drill("--caller-key-file", "-", input="gh_caller\n")
    assert result.exit_code == code, result.output
    assert asked == [("https://api.us-west-2.gatehouse.example.com", "gh_caller")]
    assert "gh_caller" not in result.output


LEGS = [
    ("activate", STANDBY),
    ("postRecovery", PRIMARY),
    ("activate", PRIMARY),
    ("postRecovery", STANDBY),
]


def _ran(world: World) -> list[tuple[str, str]]:
    return [(each.request.action, each.request.region) for each in world.executions()]


def test_a_game_day_goes_there_and_back(run: Run, drill: Command, world: World) -> None:
    result = drill("--game-day", "--yes", "--json")
    assert result.exit_code == 0, result.output
    assert _ran(world) == LEGS
    assert list(json.loads(result.stdout)["measures"]) == [
        "drill us-west-2",
        "protect us-east-1",
        "drill us-east-1",
        "protect us-west-2",
    ]
    found = _status(run, 0)
    assert (found["active"], found["last_drill"]["mode"]) == (PRIMARY, "lossless")


def test_a_game_day_that_was_left_goes_on_where_it_was(drill: Command, world: World) -> None:
    world.failing["recreate-replica"] = 1
    assert drill("--game-day", "--yes").exit_code == 5
    again = drill("--game-day", "--yes", "--on-failure", "retry")
    assert again.exit_code == 0, again.output
    assert _ran(world) == LEGS
    assert drill("--game-day", "--yes").exit_code == 0
    assert _ran(world) == LEGS * 2


def test_a_game_day_begins_in_the_primary_region(drill: Command, world: World) -> None:
    world.lag[PRIMARY] = world.lag.pop(STANDBY)
    result = drill("--game-day", "--yes")
    assert result.exit_code == 6
    assert "us-west-2 serves: fail back first" in result.stderr
