from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk.assertions import Template

from gatehouse.task_scaling import TaskScaling
from tests.constructs.parts import imported_vpc, new_stack, only


def _template(*, requests_in_flight: bool = True) -> Template:
    stack = new_stack()
    definition = ecs.FargateTaskDefinition(stack, "Task")
    definition.add_container("gateway", image=ecs.ContainerImage.from_registry("example.com/gateway:1"))
    metric = cloudwatch.Metric(
        namespace="Space",
        metric_name="requests_in_flight",
        dimensions_map={"environment": "dev"},
        statistic="Average",
        period=cdk.Duration.minutes(1),
    )
    TaskScaling(
        stack,
        "Scaling",
        service=ecs.FargateService(
            stack,
            "Service",
            cluster=ecs.Cluster(stack, "Cluster", vpc=imported_vpc(stack)),
            task_definition=definition,
            min_healthy_percent=100,
        ),
        minimum_tasks=2,
        maximum_tasks=8,
        requests_in_flight=metric if requests_in_flight else None,
        requests_in_flight_target=500,
    )
    return Template.from_stack(stack)


@pytest.fixture(scope="module")
def template() -> Template:
    return _template()


def _policies(template: Template) -> dict[str, dict[str, Any]]:
    """The policies by what they measure."""
    found: dict[str, dict[str, Any]] = {}
    for resource in template.find_resources("AWS::ApplicationAutoScaling::ScalingPolicy").values():
        policy = resource["Properties"]["TargetTrackingScalingPolicyConfiguration"]
        predefined = policy.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
        found[predefined or policy["CustomizedMetricSpecification"]["MetricName"]] = policy
    return found


def test_tasks_are_between_two_counts(template: Template) -> None:
    target = only(template, "ApplicationAutoScaling::ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 8)
    assert target["ScalableDimension"] == "ecs:service:DesiredCount"


def test_eighty_percent_of_cpu_over_a_minute_adds_tasks(template: Template) -> None:
    # Target tracking waits for three values: three minutes with those of a minute each.
    policy = _policies(template)["ECSServiceAverageCPUUtilizationHighResolution"]
    assert policy["TargetValue"] == 80
    assert only(template, "ECS::Service")["Monitoring"] == {
        "MetricConfigurations": [{"MetricNames": ["CPUUtilization"], "ResolutionSeconds": 20}]
    }


def test_requests_in_flight_add_tasks_too(template: Template) -> None:
    policy = _policies(template)["requests_in_flight"]
    assert policy["TargetValue"] == 500
    metric = policy["CustomizedMetricSpecification"]
    assert metric["Dimensions"] == [{"Name": "environment", "Value": "dev"}]
    assert metric["Statistic"] == "Average"


def test_no_policy_reads_a_single_target_group(template: Template) -> None:
    # After the next deployment it would be the idle one.
    assert "ResourceLabel" not in str(template.to_json())


def test_tasks_come_fast_and_go_slowly(template: Template) -> None:
    for policy in _policies(template).values():
        assert (policy["ScaleOutCooldown"], policy["ScaleInCooldown"]) == (60, 300)


def test_without_the_metric_cpu_decides_alone() -> None:
    assert _policies(_template(requests_in_flight=False)).keys() == {
        "ECSServiceAverageCPUUtilizationHighResolution"
    }


def test_scaling_has_no_role_of_its_own(template: Template) -> None:
    target = only(template, "ApplicationAutoScaling::ScalableTarget")
    assert "AWSServiceRoleForApplicationAutoScaling_ECSService" in str(target["RoleARN"])
