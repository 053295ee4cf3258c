from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Match, Template

from gatehouse.gateway_service import GatewayService
from tests.constructs.conftest import Properties


@pytest.fixture(autouse=True)
def gateway(stack: cdk.Stack, vpc: ec2.IVpc, security_group: ec2.ISecurityGroup) -> None:
    definition = ecs.FargateTaskDefinition(stack, "Task")
    definition.add_container(
        "gateway",
        secrets={"SECRET": ecs.Secret.from_secrets_manager(secretsmanager.Secret(stack, "Secret"))},
        image=ecs.ContainerImage.from_registry("example.com/gateway:1"),
        port_mappings=[ecs.PortMapping(container_port=8080)],
    )
    load_balancer = elbv2.ApplicationLoadBalancer(
        stack, "LoadBalancer", vpc=vpc, security_group=security_group
    )
    GatewayService(
        stack,
        "Gateway",
        vpc=vpc,
        subnets=ec2.SubnetSelection(subnet_group_name="service"),
        security_group=security_group,
        task_definition=definition,
        container_name="gateway",
        container_port=8080,
        load_balancer=load_balancer,
        listener=load_balancer.add_listener(
            "Listener", port=80, open=False, default_action=elbv2.ListenerAction.fixed_response(404)
        ),
        minimum_tasks=2,
        maximum_tasks=8,
    )


def _service(properties: Properties) -> dict[str, Any]:
    (service,) = properties("AWS::ECS::Service")
    return service


def test_a_deployment_never_has_fewer_tasks_and_a_failed_one_is_undone(properties: Properties) -> None:
    service = _service(properties)
    configuration = service["DeploymentConfiguration"]
    assert configuration["MinimumHealthyPercent"] == 100
    assert configuration["MaximumPercent"] == 200
    assert configuration["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert service["AvailabilityZoneRebalancing"] == "ENABLED"


def test_tasks_are_private(properties: Properties) -> None:
    network = _service(properties)["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "DISABLED"
    assert network["Subnets"] == ["subnet-service-a", "subnet-service-b"]
    assert network["SecurityGroups"] == ["sg-1"]


def test_a_deployment_keeps_the_scaled_task_count(properties: Properties) -> None:
    assert "DesiredCount" not in _service(properties)
    (target,) = properties("AWS::ApplicationAutoScaling::ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 8)


def test_it_scales_on_cpu_and_on_requests(properties: Properties) -> None:
    policies = [
        policy["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]
        for policy in properties("AWS::ApplicationAutoScaling::ScalingPolicy")
    ]
    by_metric = {policy["PredefinedMetricType"]: policy for policy in policies}
    assert by_metric.keys() == {"ECSServiceAverageCPUUtilization", "ALBRequestCountPerTarget"}
    label = str(by_metric["ALBRequestCountPerTarget"]["ResourceLabel"])
    assert "LoadBalancerFullName" in label
    assert "TargetGroupFullName" in label


def test_tasks_start_only_once_ecs_may_start_them(stack: cdk.Stack) -> None:
    Template.from_stack(stack).has_resource(
        "AWS::ECS::Service",
        {"DependsOn": Match.array_with([Match.string_like_regexp("TaskExecutionRoleDefaultPolicy")])},
    )


def test_scaling_has_no_role_of_its_own(properties: Properties) -> None:
    (target,) = properties("AWS::ApplicationAutoScaling::ScalableTarget")
    assert "AWSServiceRoleForApplicationAutoScaling_ECSService" in str(target["RoleARN"])


def test_requests_go_to_the_least_busy_ready_task(properties: Properties) -> None:
    (targets,) = properties("AWS::ElasticLoadBalancingV2::TargetGroup")
    assert targets["TargetType"] == "ip"
    assert targets["HealthCheckPath"] == "/health/ready"
    attributes = {entry["Key"]: entry["Value"] for entry in targets["TargetGroupAttributes"]}
    assert attributes["load_balancing.algorithm.type"] == "least_outstanding_requests"


def test_the_cluster_is_observed(properties: Properties) -> None:
    (cluster,) = properties("AWS::ECS::Cluster")
    assert cluster["ClusterSettings"] == [{"Name": "containerInsights", "Value": "enhanced"}]
