"""The function that gives a replica what neither RDS nor Region switch does."""

import json
from typing import Any

import boto3
import pytest
from botocore.validate import validate_parameters

from gatehouse.functions.settle_replica import index
from gatehouse.functions.waiting import NotYetError
from tests.constructs.step_functions import Step

SETTINGS = {
    "BackupRetentionPeriod": 35,
    "DeletionProtection": True,
    "EnableIAMDatabaseAuthentication": True,
    "MultiAZ": True,
}
# As RDS describes a replica for which nobody has asked for anything.
BARE = {
    "DBInstanceStatus": "available",
    "BackupRetentionPeriod": 0,
    "DeletionProtection": False,
    "IAMDatabaseAuthenticationEnabled": False,
    "MultiAZ": False,
}
SETTLED = {
    "DBInstanceStatus": "available",
    "BackupRetentionPeriod": 35,
    "DeletionProtection": True,
    "IAMDatabaseAuthenticationEnabled": True,
    "MultiAZ": True,
    "EnabledCloudwatchLogsExports": ["postgresql", "upgrade"],
}


class Rds:
    """Describes the instance by each of `states` in turn, by the last again and again."""

    def __init__(self, *states: dict[str, Any]) -> None:
        self._states = list(states)
        self.changed: list[dict[str, Any]] = []

    def describe_db_instances(self, **asked: Any) -> Any:
        assert asked == {"DBInstanceIdentifier": "gatehouse-prod"}
        return {"DBInstances": [self._states.pop(0) if len(self._states) > 1 else self._states[0]]}

    def modify_db_instance(self, **change: Any) -> None:
        self.changed.append(change)


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Step:
    variables = {
        "DATABASE": "gatehouse-prod",
        "SETTINGS": json.dumps(SETTINGS),
        "LOGS": json.dumps(["postgresql", "upgrade"]),
    }
    return Step(index, variables, monkeypatch)


def test_what_a_new_replica_has_not_got_is_changed_at_once(step: Step) -> None:
    step.clients["rds"] = rds = Rds(BARE, BARE | {"DBInstanceStatus": "modifying"}, SETTLED)
    assert step.run() == {"replica": "has its settings"}
    assert rds.changed == [
        {
            "DBInstanceIdentifier": "gatehouse-prod",
            "ApplyImmediately": True,
            "CloudwatchLogsExportConfiguration": {"EnableLogTypes": ["postgresql", "upgrade"]},
            **SETTINGS,
        }
    ]


def test_rds_knows_what_it_is_asked_for(step: Step) -> None:
    step.clients["rds"] = rds = Rds(BARE, SETTLED)
    step.run()
    model = boto3.session.Session().client("rds", region_name="us-west-2").meta.service_model
    validate_parameters(rds.changed[0], model.operation_model("ModifyDBInstance").input_shape)


def test_one_that_has_everything_is_left_alone(step: Step) -> None:
    step.clients["rds"] = rds = Rds(SETTLED)
    step.run()
    assert rds.changed == []


def test_only_what_differs_is_changed(step: Step) -> None:
    step.clients["rds"] = rds = Rds(SETTLED | {"MultiAZ": False}, SETTLED)
    step.run()
    assert [sorted(change) for change in rds.changed] == [
        ["ApplyImmediately", "DBInstanceIdentifier", "MultiAZ"]
    ]


def test_one_that_is_still_being_made_is_waited_for(step: Step) -> None:
    step.clients["rds"] = rds = Rds(BARE | {"DBInstanceStatus": "creating"})
    with pytest.raises(NotYetError, match="gatehouse-prod is creating"):
        step.run()
    assert rds.changed == []
