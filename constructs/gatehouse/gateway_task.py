"""The task definition that runs the gateway's image."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.container_settings import ContainerSettings
from gatehouse.hardening import (
    PYTHON,
    USER,
    acknowledge_findings,
    let_ecs_decrypt_secrets,
    linux_parameters,
)

CONTAINER = "gateway"
# The same command as the image's HEALTHCHECK, which ECS does not read.
HEALTH_COMMAND = ["CMD", PYTHON, "-m", "gateway.healthcheck"]
# The longest that Fargate allows: running streams finish within it.
STOP_TIMEOUT = cdk.Duration.seconds(120)


class GatewayTask(Construct):
    """A Fargate task of one hardened container, with roles that may do only what the gateway does.

    ECS reads the secrets of `settings`, which `secret_key` encrypts, when a task starts.

    The container runs as a non-root user without capabilities on a read-only file system, with a
    temporary one in memory at `/tmp`.
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
        port: int,
        settings: ContainerSettings,
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
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=cpu_architecture,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        for statement in permissions:
            self.definition.add_to_task_role_policy(statement)
        self.log_group = logs.LogGroup(
            self, "LogGroup", encryption_key=log_key, retention=log_retention, removal_policy=removal_policy
        )
        self.definition.add_container(
            CONTAINER,
            image=image,
            port_mappings=[ecs.PortMapping(name="http", container_port=port)],
            environment=dict(settings.environment),
            secrets=dict(settings.secrets),
            user=USER,
            readonly_root_filesystem=True,
            linux_parameters=linux_parameters(self),
            stop_timeout=STOP_TIMEOUT,
            health_check=ecs.HealthCheck(
                command=HEALTH_COMMAND,
                interval=cdk.Duration.seconds(10),
                timeout=cdk.Duration.seconds(5),
                retries=3,
                start_period=cdk.Duration.seconds(15),
            ),
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
