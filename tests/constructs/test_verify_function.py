"""The function that says whether a region serves: a database that takes writes, gateways that write."""

import datetime
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from gatehouse.collector import signs_of_writing
from gatehouse.functions.verify import index
from gatehouse.functions.waiting import NotYetError
from gatehouse.recovery.actions import asked
from tests.constructs.step_functions import Step

PRIMARY = "arn:aws:rds:us-east-1:111111111111:db:gatehouse-prod"
GROUPS = ["group-1", "group-2"]
SIGNS = signs_of_writing("prod")
# Of the newest whole minute first, by metric.
WELL = {
    "gatehouse_database_read_only": [0.0],
    "gatehouse_dependency_reachable": [1.0],
    "gatehouse_ledger_writable": [1.0],
}


class Rds:
    """Gives the states in turn, the last again and again; one with a source is a replica."""

    def __init__(self, *states: tuple[str, str | None]) -> None:
        self._states = list(states)

    def describe_db_instances(self, **asked: Any) -> Any:
        assert asked == {"DBInstanceIdentifier": "gatehouse-prod"}
        status, source = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        instance = {"DBInstanceStatus": status}
        return {
            "DBInstances": [instance | ({"ReadReplicaSourceDBInstanceIdentifier": source} if source else {})]
        }


class Balancing:
    """The states of the targets of each group."""

    def __init__(self, **groups: list[str]) -> None:
        self._groups = groups

    def describe_target_health(self, **asked: Any) -> Any:
        states = self._groups[asked["TargetGroupArn"].replace("-", "_")]
        return {"TargetHealthDescriptions": [{"TargetHealth": {"State": state}} for state in states]}


class CloudWatch:
    """Says in turn what gateways said, the last again and again. until: the end of what was asked for."""

    def __init__(self, *said: Mapping[str, list[float]]) -> None:
        self._said = list(said)
        self.until: datetime.datetime | None = None

    def get_metric_data(self, **asked: Any) -> Any:
        assert asked["ScanBy"] == "TimestampDescending"
        self.until = asked["EndTime"]
        said = self._said.pop(0) if len(self._said) > 1 else self._said[0]
        series = []
        for query in asked["MetricDataQueries"]:
            metric = query["MetricStat"]["Metric"]
            assert metric["Namespace"] == "Gatehouse"
            assert {"Name": "environment", "Value": "prod"} in metric["Dimensions"]
            series.append({"Id": query["Id"], "Values": said.get(metric["MetricName"], [])})
        return {"MetricDataResults": series[::-1]}


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Step:
    variables = {"DATABASE": "gatehouse-prod", "TARGET_GROUPS": json.dumps(GROUPS), "MINIMUM": "3"}
    variables["SIGNS"] = json.dumps([asked(sign) for sign in SIGNS])
    step = Step(index, variables, monkeypatch)
    step.clients = {
        "rds": Rds(("available", None)),
        "elbv2": Balancing(group_1=["healthy"] * 3, group_2=[]),
        "cloudwatch": CloudWatch(WELL),
    }
    return step


def test_a_database_that_writes_and_gateways_that_answer_are_everything(step: Step) -> None:
    assert step.run() == {"region": "us-west-2", "serves": "everything"}


def test_a_promotion_is_waited_for(step: Step) -> None:
    step.clients["rds"] = Rds(("modifying", PRIMARY), ("rebooting", None), ("backing-up", None))
    assert step.run()["serves"] == "everything"


@pytest.mark.parametrize(
    ("state", "missing"),
    [
        (("available", PRIMARY), f"gatehouse-prod is still a replica of {PRIMARY}"),
        (("incompatible-parameters", None), "gatehouse-prod is incompatible-parameters"),
    ],
)
def test_a_database_that_takes_no_writes_is_named(
    step: Step, state: tuple[str, str | None], missing: str
) -> None:
    step.clients["rds"] = Rds(state)
    with pytest.raises(NotYetError, match=missing):
        step.run()


def test_gateways_count_in_whichever_group_they_are(step: Step) -> None:
    """Between two versions they are in both."""
    step.clients["elbv2"] = Balancing(group_1=["healthy"], group_2=["healthy", "healthy"])
    assert step.run()["serves"] == "everything"


def test_too_few_are_not_enough(step: Step) -> None:
    step.clients["elbv2"] = Balancing(group_1=["healthy", "healthy", "initial"], group_2=["draining"])
    with pytest.raises(NotYetError, match="gateways that answer: 2 of 3"):
        step.run()


def test_a_minute_from_before_the_promotion_is_waited_out(step: Step) -> None:
    before = WELL | {"gatehouse_database_read_only": [1.0]}
    step.clients["cloudwatch"] = CloudWatch(before, before, WELL)
    assert step.run()["serves"] == "everything"


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ({"gatehouse_database_read_only": [1.0, 0.0]}, "gateways find the database read-only"),
        ({"gatehouse_dependency_reachable": [0.0, 1.0]}, "gateways do not reach the database"),
        ({"gatehouse_ledger_writable": [0.0, 1.0]}, "gateways cannot write the usage that waits"),
        ({"gatehouse_ledger_writable": []}, "no gateway says whether it can write"),
    ],
)
def test_gateways_that_cannot_write_are_noticed_though_all_else_is_well(
    step: Step, said: dict[str, list[float]], missing: str
) -> None:
    step.clients["cloudwatch"] = CloudWatch(WELL | said)
    with pytest.raises(NotYetError, match=missing):
        step.run()


@pytest.mark.parametrize(
    ("now", "until"), [("03:07:29", "03:06"), ("03:07:30", "03:07"), ("03:08:29", "03:07")]
)
def test_a_minute_counts_once_what_all_gateways_said_in_it_has_arrived(
    step: Step, monkeypatch: pytest.MonkeyPatch, now: str, until: str
) -> None:
    moment = datetime.datetime.fromisoformat(f"2026-11-22T{now}+00:00")
    clock = SimpleNamespace(now=lambda _zone: moment)
    monkeypatch.setattr(
        index,
        "datetime",
        SimpleNamespace(datetime=clock, UTC=datetime.UTC, timedelta=datetime.timedelta),
    )
    step.run()
    assert step.clients["cloudwatch"].until == datetime.datetime.fromisoformat(f"2026-11-22T{until}+00:00")


def test_where_cloudwatch_has_no_metrics_of_gateways_the_rest_suffices(
    step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNS", "[]")
    step.clients["cloudwatch"] = None
    assert step.run()["serves"] == "everything"
