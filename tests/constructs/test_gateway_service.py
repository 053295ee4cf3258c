"""The service, its target groups and how a new version takes over."""

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Template

from gatehouse.gateway_service import GatewayService
from gatehouse.service_targets import Canary, ServiceTargets
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.parts import imported_vpc, new_stack, only


def _definition(stack: cdk.Stack) -> ecs.FargateTaskDefinition:
    definition = ecs.FargateTaskDefinition(stack, "Task")
    definition.add_container(
        "gateway",
        secrets={"SECRET": ecs.Secret.from_secrets_manager(secretsmanager.Secret(stack, "Secret"))},
        image=ecs.ContainerImage.from_registry("example.com/gateway:1"),
        port_mappings=[ecs.PortMapping(container_port=8080)],
    )
    return definition


def _template(*, canary: Canary | None = None, spot_percent: int = 0, name: str | None = None) -> Template:
    stack = new_stack()
    vpc = imported_vpc(stack)
    security_group = ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1", mutable=False)
    load_balancer = elbv2.ApplicationLoadBalancer(stack, "Balancer", vpc=vpc, security_group=security_group)
    targets = ServiceTargets(
        stack,
        "Targets",
        vpc=vpc,
        port=8080,
        ready_path="/ready",
        listener=load_balancer.add_listener(
            "Listener", port=80, open=False, default_action=elbv2.ListenerAction.fixed_response(404)
        ),
        canary=canary is not None,
        drain=cdk.Duration.minutes(2),
    )
    alarm_arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:errors"
    GatewayService(
        stack,
        "Gateway",
        vpc=vpc,
        subnets=ec2.SubnetSelection(subnet_group_name="service"),
        security_group=security_group,
        task_definition=_definition(stack),
        container_name="gateway",
        container_port=8080,
        targets=targets,
        canary=canary,
        alarms=[cloudwatch.Alarm.from_alarm_arn(stack, "Alarm", alarm_arn)],
        spot_percent=spot_percent,
        name=name,
    )
    return Template.from_stack(stack)


@pytest.fixture(scope="module")
def canary() -> Template:
    return _template(canary=Canary(percent=10, bake=cdk.Duration.minutes(15)))


@pytest.fixture(scope="module")
def rolling() -> Template:
    return _template()


@pytest.fixture(params=["canary", "rolling"])
def template(request: pytest.FixtureRequest) -> Template:
    built: Template = request.getfixturevalue(request.param)
    return built


def _deployment(template: Template) -> dict[str, Any]:
    configuration: dict[str, Any] = only(template, "ECS::Service")["DeploymentConfiguration"]
    return configuration


def test_it_has_a_name_only_where_another_region_has_to_know_it(rolling: Template) -> None:
    """With a name neither could be replaced by a new one beside the old."""
    assert "ClusterName" not in only(rolling, "ECS::Cluster")
    assert "ServiceName" not in only(rolling, "ECS::Service")
    named = _template(name="gatehouse-prod-gateway")
    assert only(named, "ECS::Cluster")["ClusterName"] == "gatehouse-prod-gateway"
    assert only(named, "ECS::Service")["ServiceName"] == "gatehouse-prod-gateway"


def test_a_failed_deployment_is_undone(template: Template) -> None:
    deployment = _deployment(template)
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert deployment["Alarms"] == {"AlarmNames": ["errors"], "Enable": True, "Rollback": True}


def test_a_deployment_never_has_fewer_tasks(template: Template) -> None:
    deployment = _deployment(template)
    assert deployment["MinimumHealthyPercent"] == 100
    assert deployment["MaximumPercent"] == 200
    assert "DesiredCount" not in only(template, "ECS::Service")


def test_a_canary_takes_some_requests_first_and_the_old_version_stays_as_long(canary: Template) -> None:
    deployment = _deployment(canary)
    assert deployment["Strategy"] == "CANARY"
    assert deployment["CanaryConfiguration"] == {"CanaryPercent": 10, "CanaryBakeTimeInMinutes": 15}
    assert deployment["BakeTimeInMinutes"] == 15


def test_ecs_moves_the_weights_between_two_target_groups(canary: Template) -> None:
    first, second = sorted(canary.find_resources("AWS::ElasticLoadBalancingV2::TargetGroup"))
    (rule_id,) = canary.find_resources("AWS::ElasticLoadBalancingV2::ListenerRule")
    (attached,) = only(canary, "ECS::Service")["LoadBalancers"]
    assert attached["TargetGroupArn"] == {"Ref": first}
    advanced = attached["AdvancedConfiguration"]
    assert advanced["AlternateTargetGroupArn"] == {"Ref": second}
    assert advanced["ProductionListenerRule"] == {"Ref": rule_id}
    (action,) = only(canary, "ElasticLoadBalancingV2::ListenerRule")["Actions"]
    assert [(t["TargetGroupArn"]["Ref"], t["Weight"]) for t in action["ForwardConfig"]["TargetGroups"]] == [
        (first, 100),
        (second, 0),
    ]


def test_ecs_may_change_this_rule_and_these_groups_alone(canary: Template) -> None:
    policies = canary.find_resources("AWS::IAM::Policy").values()
    (policy,) = (p["Properties"] for p in policies if "TargetsRole" in str(p["Properties"]["Roles"]))
    statements = {str(s["Action"]): s["Resource"] for s in policy["PolicyDocument"]["Statement"]}
    groups = sorted(canary.find_resources("AWS::ElasticLoadBalancingV2::TargetGroup"))
    (rule_id,) = canary.find_resources("AWS::ElasticLoadBalancingV2::ListenerRule")
    change = "['elasticloadbalancing:DeregisterTargets', 'elasticloadbalancing:RegisterTargets']"
    assert statements[change] == [{"Ref": group} for group in groups]
    assert statements["elasticloadbalancing:ModifyRule"] == {"Ref": rule_id}
    assert [
        action
        for action, r in statements.items()
        if r == "*" and action.count(":") != action.count(":Describe")
    ] == []
    assert "ManagedPolicyArns" not in str(canary.to_json())


def test_a_service_comes_after_what_ecs_needs_for_it(canary: Template) -> None:
    (service,) = canary.find_resources("AWS::ECS::Service").values()
    comes_after = set(service["DependsOn"])
    needed = ("ElasticLoadBalancingV2::ListenerRule", "ECS::ClusterCapacityProviderAssociations")
    for resource_type in needed:
        assert canary.find_resources(f"AWS::{resource_type}").keys() <= comes_after
    policies = canary.find_resources("AWS::IAM::Policy")
    assert {name for name in policies if "TargetsRole" in name or "ExecutionRole" in name} <= comes_after


def test_without_a_canary_tasks_are_replaced_in_turn(rolling: Template) -> None:
    assert _deployment(rolling)["Strategy"] == "ROLLING"
    rolling.resource_count_is("AWS::ElasticLoadBalancingV2::TargetGroup", 1)
    (attached,) = only(rolling, "ECS::Service")["LoadBalancers"]
    assert "AdvancedConfiguration" not in attached


def test_to_change_to_a_canary_replaces_nothing(canary: Template, rolling: Template) -> None:
    for resource_type in ("ListenerRule", "TargetGroup"):
        ids = [
            template.find_resources(f"AWS::ElasticLoadBalancingV2::{resource_type}").keys()
            for template in (rolling, canary)
        ]
        assert ids[0] <= ids[1]


def test_tasks_are_private_and_nobody_gets_a_shell_in_one(template: Template) -> None:
    service = only(template, "ECS::Service")
    network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "DISABLED"
    assert network["Subnets"] == ["subnet-service-a", "subnet-service-b"]
    assert network["SecurityGroups"] == ["sg-1"]
    assert service["EnableExecuteCommand"] is False


def test_zones_are_kept_in_balance(template: Template) -> None:
    assert only(template, "ECS::Service")["AvailabilityZoneRebalancing"] == "ENABLED"


@pytest.mark.parametrize(
    ("spot_percent", "weights"),
    [(0, {"FARGATE": 100}), (70, {"FARGATE": 30, "FARGATE_SPOT": 70}), (100, {"FARGATE_SPOT": 100})],
)
def test_tasks_run_on_spot_as_configured(spot_percent: int, weights: dict[str, int]) -> None:
    template = _template(spot_percent=spot_percent)
    service = only(template, "ECS::Service")
    strategy = service["CapacityProviderStrategy"]
    assert {item["CapacityProvider"]: item["Weight"] for item in strategy} == weights
    # A service with a launch type would be replaced by one with a strategy.
    assert "LaunchType" not in service
    providers = only(template, "ECS::ClusterCapacityProviderAssociations")["CapacityProviders"]
    assert set(weights) <= set(providers)


def test_requests_go_to_the_least_busy_ready_task(template: Template) -> None:
    for group in template.find_resources("AWS::ElasticLoadBalancingV2::TargetGroup").values():
        targets = group["Properties"]
        assert targets["TargetType"] == "ip"
        assert targets["HealthCheckPath"] == "/ready"
        attributes = {entry["Key"]: entry["Value"] for entry in targets["TargetGroupAttributes"]}
        assert attributes["load_balancing.algorithm.type"] == "least_outstanding_requests"


def test_answers_of_a_task_that_goes_have_as_long_as_is_said(template: Template) -> None:
    for group in template.find_resources("AWS::ElasticLoadBalancingV2::TargetGroup").values():
        attributes = {e["Key"]: e["Value"] for e in group["Properties"]["TargetGroupAttributes"]}
        assert attributes["deregistration_delay.timeout_seconds"] == "120"


def test_the_cluster_is_observed(template: Template) -> None:
    assert only(template, "ECS::Cluster")["ClusterSettings"] == [
        {"Name": "containerInsights", "Value": "enhanced"}
    ]
