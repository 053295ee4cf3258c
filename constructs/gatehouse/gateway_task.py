"""The task definition that runs the gateway's image."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse import collector
from gatehouse.collector import Collector
from gatehouse.hardening import (
    acknowledge_findings,
    let_ecs_decrypt_secrets,
    linux_parameters,
    tasks_of_this_account,
)
from gatehouse.image_profile import ImageProfile
from gatehouse.time_limits import STOP_SECONDS

CONTAINER = "gateway"


class GatewayTask(Construct):
    """A Fargate task of one hardened container, with roles that may do only what the gateway does.

    With `collector_image` a second one, the `Collector`, takes its share of CPU and memory and outlives the
    gateway when the task stops. `environment` names the environment in its metrics.

    `profile` says how the image is run. ECS reads its secrets, which `secret_key` encrypts, when a task
    starts.

    The container runs as a non-root user without capabilities on a read-only file system, with temporary
    ones in memory.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image: ecs.ContainerImage,
        cpu_architecture: ecs.CpuArchitecture,
        cpu_units: int,
        memory_mib: int,
        profile: ImageProfile,
        collector_image: ecs.ContainerImage | None,
        environment: str,
        task_role_name: str,
        permissions: Sequence[iam.PolicyStatement],
        secret_key: kms.IKey,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self.definition = ecs.FargateTaskDefinition(
            self,
            "Definition",
            cpu=cpu_units,
            memory_limit_mib=memory_mib,
            task_role=iam.Role(
                self, "TaskRole", role_name=task_role_name, assumed_by=tasks_of_this_account(self)
            ),
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=cpu_architecture,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        for statement in (*permissions, *profile.permissions):
            self.definition.add_to_task_role_policy(statement)
        self.log_group = logs.LogGroup(
            self, "LogGroup", encryption_key=log_key, retention=log_retention, removal_policy=removal_policy
        )
        container = profile.container
        gateway = self.definition.add_container(
            CONTAINER,
            image=image,
            # Beside another container, one without its share would get next to nothing on a busy task.
            cpu=cpu_units - collector.CPU_UNITS if collector_image else None,
            memory_limit_mib=memory_mib - collector.MEMORY_MIB if collector_image else None,
            entry_point=container.entry_point,
            command=container.command,
            port_mappings=[ecs.PortMapping(name="http", container_port=profile.port)],
            environment=dict(container.settings.environment),
            secrets=container.settings.secrets_for_ecs(),
            user=container.user,
            readonly_root_filesystem=True,
            linux_parameters=linux_parameters(self, container.temporary_mib),
            stop_timeout=cdk.Duration.seconds(STOP_SECONDS),
            health_check=_health_check(profile),
            # A slow log service must not slow requests: lines that do not fit the buffer are dropped.
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix=CONTAINER,
                log_group=self.log_group,
                mode=ecs.AwsLogDriverMode.NON_BLOCKING,
                max_buffer_size=cdk.Size.mebibytes(16),
            ),
        )
        let_ecs_decrypt_secrets(self.definition, secret_key)
        acknowledge_findings(self.definition)
        if collector_image is not None:
            sidecar = Collector(
                self,
                "Collector",
                definition=self.definition,
                image=collector_image,
                environment=environment,
                metrics_ports=profile.metrics_ports,
                own_log_group=self.log_group,
                log_key=log_key,
                log_retention=log_retention,
                removal_policy=removal_policy,
            )
            # Containers stop in the reverse order: what a gateway tells as it drains is still collected.
            gateway.add_container_dependencies(
                ecs.ContainerDependency(
                    container=sidecar.container, condition=ecs.ContainerDependencyCondition.START
                )
            )


def _health_check(profile: ImageProfile) -> ecs.HealthCheck | None:
    if profile.health_command is None:
        return None
    return ecs.HealthCheck(
        command=list(profile.health_command),
        interval=cdk.Duration.seconds(10),
        timeout=cdk.Duration.seconds(5),
        retries=3,
        start_period=profile.start_period,
    )
