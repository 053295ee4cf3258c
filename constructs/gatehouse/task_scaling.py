"""How many tasks a service runs."""

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

CPU_TARGET_PERCENT = 80
# The finest that ECS measures. Three values above the target add tasks: after one minute, not after three.
CPU_RESOLUTION_SECONDS = 20
# A task that has just started takes its share within a minute.
SCALE_OUT_COOLDOWN = cdk.Duration.minutes(1)
# A task that goes cuts the streams that outlast its deregistration: tasks go slowly.
SCALE_IN_COOLDOWN = cdk.Duration.minutes(5)


class TaskScaling(Construct):
    """Keeps the mean CPU of a service's tasks, and their requests in flight, at their targets.

    Either target adds tasks, both must allow it before one goes. `requests_in_flight` is the mean over the
    gateway's processes: waiting for a model takes hardly any CPU, but memory and sockets. Without it, CPU
    decides alone.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        service: ecs.FargateService,
        minimum_tasks: int,
        maximum_tasks: int,
        requests_in_flight: cloudwatch.IMetric | None,
        requests_in_flight_target: int,
    ) -> None:
        super().__init__(scope, construct_id)
        task_count = autoscaling.ScalableTarget(
            self,
            "TaskCount",
            service_namespace=autoscaling.ServiceNamespace.ECS,
            resource_id=f"service/{service.cluster.cluster_name}/{service.service_name}",
            scalable_dimension="ecs:service:DesiredCount",
            # What scaling of ECS uses whatever it is told; unnamed, the CDK would create one for nothing.
            role=iam.Role.from_role_arn(self, "ScalingRole", _scaling_role_arn(self)),
            min_capacity=minimum_tasks,
            max_capacity=maximum_tasks,
        )
        _measure_cpu_finely(service)
        cpu = task_count.scale_to_track_metric(
            "Cpu",
            predefined_metric=autoscaling.PredefinedMetric.ECS_SERVICE_AVERAGE_CPU_UTILIZATION,
            target_value=CPU_TARGET_PERCENT,
            scale_out_cooldown=SCALE_OUT_COOLDOWN,
            scale_in_cooldown=SCALE_IN_COOLDOWN,
        )
        _track_fine_cpu(cpu)
        if requests_in_flight is not None:
            task_count.scale_to_track_metric(
                "RequestsInFlight",
                custom_metric=requests_in_flight,
                target_value=requests_in_flight_target,
                scale_out_cooldown=SCALE_OUT_COOLDOWN,
                scale_in_cooldown=SCALE_IN_COOLDOWN,
            )


def _measure_cpu_finely(service: ecs.FargateService) -> None:
    resource = service.node.find_child("Service")
    if isinstance(resource, ecs.CfnService):
        # The CDK's service has no property for it yet.
        resource.monitoring = ecs.CfnService.MonitoringConfigurationProperty(
            metric_configurations=[
                ecs.CfnService.MetricConfigurationProperty(
                    metric_names=["CPUUtilization"], resolution_seconds=CPU_RESOLUTION_SECONDS
                )
            ]
        )


def _track_fine_cpu(policy: autoscaling.TargetTrackingScalingPolicy) -> None:
    resource = policy.node.default_child
    if isinstance(resource, autoscaling.CfnScalingPolicy):
        # The CDK does not name this metric yet.
        resource.add_property_override(
            "TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification.PredefinedMetricType",
            "ECSServiceAverageCPUUtilizationHighResolution",
        )


def _scaling_role_arn(scope: Construct) -> str:
    return cdk.Stack.of(scope).format_arn(
        service="iam",
        region="",
        resource="role/aws-service-role/ecs.application-autoscaling.amazonaws.com",
        resource_name="AWSServiceRoleForApplicationAutoScaling_ECSService",
    )
