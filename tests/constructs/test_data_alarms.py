"""The alarms of database and cache: what they watch, from where on, and that somebody hears of them."""

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Template

from gatehouse.cache_alarms import CacheAlarms
from gatehouse.database_alarms import DatabaseAlarms
from tests.constructs.conftest import ACCOUNT, REGION

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:gatehouse-test-alarms"
GIB = 1024**3


def _alarms(*, nodes: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """By the name of their metric."""
    app = cdk.App(builtin_cloud_formation_validation=False, analytics_reporting=False)
    stack = cdk.Stack(app, "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))
    instance = rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Instance",
        instance_identifier="gatehouse-test",
        instance_endpoint_address="database",
        port=5432,
        security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1")],
    )
    DatabaseAlarms(stack, "Database", instance=instance, memory_gib=4, storage_gib=100, topic_arn=TOPIC)
    CacheAlarms(stack, "Cache", nodes=nodes, topic_arn=TOPIC)
    resources = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").values()
    return {_metric(resource["Properties"]): resource["Properties"] for resource in resources}


def _metric(alarm: dict[str, Any]) -> str:
    if "MetricName" in alarm:
        return str(alarm["MetricName"])
    (name,) = {
        each["MetricStat"]["Metric"]["MetricName"] for each in alarm["Metrics"] if "MetricStat" in each
    }
    return str(name)


@pytest.fixture(scope="module")
def alarms() -> dict[str, dict[str, Any]]:
    return _alarms(nodes=("cache-001", "cache-002"))


DATABASE = {
    "CPUUtilization": ("GreaterThanThreshold", 80),
    # Four fifths of LEAST(4 GiB / 9531392, 5000).
    "DatabaseConnections": ("GreaterThanThreshold", 360),
    "FreeableMemory": ("LessThanThreshold", 4 * GIB // 20),
    "FreeStorageSpace": ("LessThanThreshold", 5 * GIB),
    "MaximumUsedTransactionIDs": ("GreaterThanThreshold", 1_000_000_000),
}
CACHE = {
    "EngineCPUUtilization": 80,
    "DatabaseMemoryUsagePercentage": 80,
    "Evictions": 0,
    "AuthenticationFailures": 0,
    "ReplicationLag": 5,
}


def test_these_are_all(alarms: dict[str, dict[str, Any]]) -> None:
    assert alarms.keys() == DATABASE.keys() | CACHE.keys()


def test_each_tells_the_topic_what_begins_and_what_ends(alarms: dict[str, dict[str, Any]]) -> None:
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]


def test_each_says_what_to_do(alarms: dict[str, dict[str, Any]]) -> None:
    for alarm in alarms.values():
        assert len(alarm["AlarmDescription"].split(". ")) >= 2, alarm["AlarmDescription"]


@pytest.mark.parametrize("metric", DATABASE)
def test_the_database_is_watched(alarms: dict[str, dict[str, Any]], metric: str) -> None:
    alarm = alarms[metric]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == DATABASE[metric]
    assert alarm["Namespace"] == "AWS/RDS"
    assert alarm["Dimensions"] == [{"Name": "DBInstanceIdentifier", "Value": "gatehouse-test"}]
    assert alarm["Period"] * alarm["EvaluationPeriods"] == 15 * 60


@pytest.mark.parametrize("metric", CACHE)
def test_every_node_of_the_cache_is_watched(alarms: dict[str, dict[str, Any]], metric: str) -> None:
    alarm = alarms[metric]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", CACHE[metric])
    (worst,) = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
    nodes = [each for each in alarm["Metrics"] if "MetricStat" in each]
    assert worst == "MAX([node1, node2])"
    assert [each["Id"] for each in nodes] == ["node1", "node2"]
    dimensions = [each["MetricStat"]["Metric"]["Dimensions"] for each in nodes]
    assert dimensions == [
        [{"Name": "CacheClusterId", "Value": "cache-001"}],
        [{"Name": "CacheClusterId", "Value": "cache-002"}],
    ]


def test_a_single_node_lags_behind_nobody() -> None:
    alarms = _alarms(nodes=("cache-001",))
    assert "ReplicationLag" not in alarms
    assert "MAX([node1])" in json.dumps(alarms["Evictions"])
