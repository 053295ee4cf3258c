"""The service that keeps gateway tasks running behind the load balancer."""

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from constructs import Construct

READY_PATH = "/health/ready"
# Shorter than the task's stop timeout: nothing is sent to a task that is about to be killed.
DEREGISTRATION_DELAY = cdk.Duration.seconds(100)
CPU_TARGET_PERCENT = 60
# Requests are mostly waiting for a model, so CPU says little about streams that are open.
REQUESTS_PER_MINUTE_PER_TASK = 3000


class GatewayService(Construct):
    """An ECS service over all zones, scaled between two task counts, that rolls a failed deployment back.

    It answers every path of `listener` that no rule with a smaller priority number takes.
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
        load_balancer: elbv2.ApplicationLoadBalancer,
        listener: elbv2.IApplicationListener,
        minimum_tasks: int,
        maximum_tasks: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self.cluster = ecs.Cluster(
            self, "Cluster", vpc=vpc, container_insights_v2=ecs.ContainerInsights.ENHANCED
        )
        # No desired count: each deployment would set the scaled service back to it.
        self.service = ecs.FargateService(
            self,
            "Service",
            cluster=self.cluster,
            task_definition=task_definition,
            vpc_subnets=subnets,
            security_groups=[security_group],
            assign_public_ip=False,
            min_healthy_percent=100,
            max_healthy_percent=200,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            availability_zone_rebalancing=ecs.AvailabilityZoneRebalancing.ENABLED,
            health_check_grace_period=cdk.Duration.seconds(60),
            enable_ecs_managed_tags=True,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )
        if task_definition.execution_role is not None:
            # Its policies too: a task that may not yet pull its image counts as a failed deployment.
            self.service.node.add_dependency(task_definition.execution_role)
        self.target_group = self._target_group(vpc, container_port)
        elbv2.ApplicationListenerRule(
            self,
            "AllPaths",
            listener=listener,
            priority=1000,
            conditions=[elbv2.ListenerCondition.path_patterns(["/*"])],
            action=elbv2.ListenerAction.forward([self.target_group]),
        )
        self.service.load_balancer_target(
            container_name=container_name, container_port=container_port
        ).attach_to_application_target_group(self.target_group)
        self._scale(load_balancer, minimum_tasks, maximum_tasks)

    def _target_group(self, vpc: ec2.IVpc, port: int) -> elbv2.ApplicationTargetGroup:
        return elbv2.ApplicationTargetGroup(
            self,
            "Targets",
            vpc=vpc,
            port=port,
            protocol=elbv2.ApplicationProtocol.HTTP,
            target_type=elbv2.TargetType.IP,
            load_balancing_algorithm_type=elbv2.TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS,
            deregistration_delay=DEREGISTRATION_DELAY,
            health_check=elbv2.HealthCheck(
                path=READY_PATH,
                interval=cdk.Duration.seconds(10),
                timeout=cdk.Duration.seconds(5),
                healthy_threshold_count=2,
                unhealthy_threshold_count=3,
            ),
        )

    def _scale(
        self, load_balancer: elbv2.ApplicationLoadBalancer, minimum_tasks: int, maximum_tasks: int
    ) -> None:
        task_count = autoscaling.ScalableTarget(
            self,
            "TaskCount",
            service_namespace=autoscaling.ServiceNamespace.ECS,
            resource_id=f"service/{self.cluster.cluster_name}/{self.service.service_name}",
            scalable_dimension="ecs:service:DesiredCount",
            # What scaling of ECS uses whatever it is told; unnamed, the CDK would create one for nothing.
            role=iam.Role.from_role_arn(self, "ScalingRole", _scaling_role_arn(self)),
            min_capacity=minimum_tasks,
            max_capacity=maximum_tasks,
        )
        task_count.scale_to_track_metric(
            "Cpu",
            predefined_metric=autoscaling.PredefinedMetric.ECS_SERVICE_AVERAGE_CPU_UTILIZATION,
            target_value=CPU_TARGET_PERCENT,
        )
        # Named here and not by the target group, which would cut the name out of the listener's ARN.
        names = (load_balancer.load_balancer_full_name, self.target_group.target_group_full_name)
        task_count.scale_to_track_metric(
            "Requests",
            predefined_metric=autoscaling.PredefinedMetric.ALB_REQUEST_COUNT_PER_TARGET,
            resource_label="/".join(names),
            target_value=REQUESTS_PER_MINUTE_PER_TASK,
        )


def _scaling_role_arn(scope: Construct) -> str:
    return cdk.Stack.of(scope).format_arn(
        service="iam",
        region="",
        resource="role/aws-service-role/ecs.application-autoscaling.amazonaws.com",
        resource_name="AWSServiceRoleForApplicationAutoScaling_ECSService",
    )
