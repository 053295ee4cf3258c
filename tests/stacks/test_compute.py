"""The tasks of each environment on ECS: where they run, how they are replaced, who watches them."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from stacks.config.files import environment_names
from stacks.config.load import load_environment

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

ON_ECS = [name for name in environment_names() if load_environment(name).compute.platform == "ecs"]


@pytest.fixture(params=ON_ECS)
def assembly(request: pytest.FixtureRequest, assemblies: Callable[[str], "Assembly"]) -> "Assembly":
    """Each environment that runs tasks."""
    return assemblies(request.param)


def _all(assembly: "Assembly", resource_type: str, stack: str = "Service") -> list[dict[str, Any]]:
    return [r["Properties"] for r in assembly.resources(stack, f"AWS::{resource_type}").values()]


def _only(assembly: "Assembly", resource_type: str, stack: str = "Service") -> dict[str, Any]:
    (properties,) = _all(assembly, resource_type, stack)
    return properties


def _tasks(assembly: "Assembly") -> list[dict[str, Any]]:
    return _all(assembly, "ECS::TaskDefinition")


def _gateway_task(assembly: "Assembly") -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The task definition that the service keeps, and its containers by name."""
    tasks = assembly.resources("Service", "AWS::ECS::TaskDefinition")
    task = tasks[_only(assembly, "ECS::Service")["TaskDefinition"]["Ref"]]["Properties"]
    return task, {container["Name"]: container for container in task["ContainerDefinitions"]}


def test_every_task_runs_on_graviton(assembly: "Assembly") -> None:
    for task in _tasks(assembly):
        assert task["RuntimePlatform"]["CpuArchitecture"] == "ARM64"


def test_nobody_opens_a_shell_in_a_task(assembly: "Assembly") -> None:
    assert _only(assembly, "ECS::Service")["EnableExecuteCommand"] is False
    assert "ssmmessages" not in json.dumps(assembly.templates["Service"])


def test_containers_share_what_the_task_has(assembly: "Assembly") -> None:
    task, containers = _gateway_task(assembly)
    assert containers.keys() == {"gateway", "collector"}
    # One without its share would get next to nothing beside the other.
    assert sum(container["Cpu"] for container in containers.values()) == int(task["Cpu"])
    assert sum(container["Memory"] for container in containers.values()) == int(task["Memory"])


def test_the_collector_comes_by_its_digest_and_stops_last(assembly: "Assembly") -> None:
    _, containers = _gateway_task(assembly)
    assert "@sha256:" in containers["collector"]["Image"]
    assert containers["gateway"]["DependsOn"] == [{"ContainerName": "collector", "Condition": "START"}]


def test_production_survives_a_zone_and_staging_rehearses_that(assembly: "Assembly") -> None:
    subnets = _only(assembly, "ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"]
    assert len(subnets) == len(load_environment(assembly.environment).network.availability_zones) >= 2
    assert _only(assembly, "ECS::Service")["AvailabilityZoneRebalancing"] == "ENABLED"
    if assembly.environment != "dev":
        assert len(subnets) == 3
        assert _only(assembly, "ApplicationAutoScaling::ScalableTarget")["MinCapacity"] >= 2


def test_tasks_are_added_by_cpu_and_by_requests_in_flight(assembly: "Assembly") -> None:
    policies = [
        policy["TargetTrackingScalingPolicyConfiguration"]
        for policy in _all(assembly, "ApplicationAutoScaling::ScalingPolicy")
    ]
    targets = {
        policy.get("PredefinedMetricSpecification", policy.get("CustomizedMetricSpecification")).get(
            "PredefinedMetricType", "gatehouse_requests_in_flight"
        ): policy["TargetValue"]
        for policy in policies
    }
    config = load_environment(assembly.environment).service
    assert targets == {
        "ECSServiceAverageCPUUtilizationHighResolution": 80,
        "gatehouse_requests_in_flight": config.concurrent_requests_per_process,
    }


def test_a_new_version_meets_few_requests_first_except_in_dev(assembly: "Assembly") -> None:
    deployment = _only(assembly, "ECS::Service")["DeploymentConfiguration"]
    if assembly.environment == "dev":
        assert deployment["Strategy"] == "ROLLING"
        return
    assert deployment["Strategy"] == "CANARY"
    assert 0 < deployment["CanaryConfiguration"]["CanaryPercent"] <= 50
    assert deployment["CanaryConfiguration"]["CanaryBakeTimeInMinutes"] > 0
    assert deployment["BakeTimeInMinutes"] > 0


def test_a_bad_version_is_taken_back(assembly: "Assembly") -> None:
    deployment = _only(assembly, "ECS::Service")["DeploymentConfiguration"]
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert deployment["Alarms"]["Enable"]
    assert deployment["Alarms"]["Rollback"]
    watched = {name["Ref"] for name in deployment["Alarms"]["AlarmNames"]}
    assert watched
    assert watched <= assembly.resources("Service", "AWS::CloudWatch::Alarm").keys()


def test_a_bad_catalog_is_taken_back_for_as_long_as_it_took_to_roll_out(assembly: "Assembly") -> None:
    (monitor,) = _only(assembly, "AppConfig::Environment")["Monitors"]
    alarm_id, attribute = monitor["AlarmArn"]["Fn::GetAtt"]
    assert attribute == "Arn"
    alarm = assembly.resources("Service", "AWS::CloudWatch::Alarm")[alarm_id]["Properties"]
    assert "HTTPCode_Target_5XX_Count" in json.dumps(alarm["Metrics"])
    strategy = _only(assembly, "AppConfig::DeploymentStrategy")
    minutes = load_environment(assembly.environment).service.catalog_rollout_minutes
    assert strategy["FinalBakeTimeInMinutes"] == strategy["DeploymentDurationInMinutes"] == minutes
    assert assembly.environment == "dev" or minutes > 0


def test_the_first_catalog_comes_once_its_alarm_has_had_time_for_data(assembly: "Assembly") -> None:
    (migrated,) = assembly.resources("Service", "Custom::DatabaseMigration")
    (deployment,) = assembly.resources("Service", "AWS::AppConfig::Deployment").values()
    assert migrated in deployment["DependsOn"]


def test_production_never_runs_on_capacity_that_aws_takes_back(production: "Assembly") -> None:
    strategy = _only(production, "ECS::Service")["CapacityProviderStrategy"]
    assert [item["CapacityProvider"] for item in strategy] == ["FARGATE"]


def test_alarms_may_publish_into_the_encrypted_topic(assembly: "Assembly") -> None:
    key = _only(assembly, "SNS::Topic", "Observability")["KmsMasterKeyId"]["Fn::ImportValue"]
    assert "EncryptionKeysData" in key
    (policy,) = (
        resource["Properties"]["KeyPolicy"]["Statement"]
        for logical_id, resource in assembly.resources("Keys", "AWS::KMS::Key").items()
        if "Data" in logical_id
    )
    assert "cloudwatch.amazonaws.com" in [statement["Principal"].get("Service") for statement in policy]
