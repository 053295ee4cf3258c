"""The service that keeps gateway tasks running behind the load balancer."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from gatehouse.service_targets import Canary, ServiceTargets


class GatewayService(Construct):
    """An ECS service over all zones that takes a failed deployment back.

    A deployment fails when its tasks do not become healthy, or when one of `alarms` goes off: while it
    replaces the tasks in turn or, with `canary`, from its first requests until the old version is gone.
    `spot_percent` of the tasks run on spare capacity, which AWS takes back at two minutes' notice. `name` is
    that of the service and its cluster, where another region has to know it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection,
        security_group: ec2.ISecurityGroup,
        task_definition: ecs.FargateTaskDefinition,
        container_name: str,
        container_port: int,
        targets: ServiceTargets,
        canary: Canary | None,
        alarms: Sequence[cloudwatch.IAlarm],
        spot_percent: int,
        name: str | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            cluster_name=name,
            vpc=vpc,
            container_insights_v2=ecs.ContainerInsights.ENHANCED,
            enable_fargate_capacity_providers=True,
        )
        # No desired count: each deployment would set the scaled service back to it.
        self.service = ecs.FargateService(
            self,
            "Service",
            service_name=name,
            cluster=self.cluster,
            task_definition=task_definition,
            vpc_subnets=subnets,
            security_groups=[security_group],
            assign_public_ip=False,
            # Not a launch type: a service would be replaced by one with a strategy.
            capacity_provider_strategies=_capacity(spot_percent),
            min_healthy_percent=100,
            max_healthy_percent=200,
            deployment_strategy=ecs.DeploymentStrategy.CANARY if canary else ecs.DeploymentStrategy.ROLLING,
            canary_configuration=_first_step(canary) if canary else None,
            bake_time=canary.bake if canary else None,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            deployment_alarms=ecs.DeploymentAlarmConfig(
                alarm_names=[alarm.alarm_name for alarm in alarms],
                behavior=ecs.AlarmBehavior.ROLLBACK_ON_ALARM,
            ),
            availability_zone_rebalancing=ecs.AvailabilityZoneRebalancing.ENABLED,
            health_check_grace_period=cdk.Duration.seconds(60),
            enable_execute_command=False,
            enable_ecs_managed_tags=True,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )
        if task_definition.execution_role is not None:
            # Its policies too: a task that may not yet pull its image counts as a failed deployment.
            self.service.node.add_dependency(task_definition.execution_role)
        # ECS takes no target group that no rule sends to, and moves the rule's weights by the role in it. Nor
        # does it take a capacity provider that the cluster does not have yet.
        self.service.node.add_dependency(targets, self.cluster)
        self.service.load_balancer_target(
            container_name=container_name, container_port=container_port, alternate_target=targets.alternate
        ).attach_to_application_target_group(targets.groups[0])


def _first_step(canary: Canary) -> ecs.TrafficShiftConfig:
    return ecs.TrafficShiftConfig(step_percent=canary.percent, step_bake_time=canary.bake)


def _capacity(spot_percent: int) -> list[ecs.CapacityProviderStrategy]:
    weights = {"FARGATE": 100 - spot_percent, "FARGATE_SPOT": spot_percent}
    return [
        ecs.CapacityProviderStrategy(capacity_provider=provider, weight=weight)
        for provider, weight in weights.items()
        if weight
    ]
