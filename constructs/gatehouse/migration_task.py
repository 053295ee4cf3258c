"""The task definition that brings the database's schema up to date."""

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
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

CONTAINER = "migrations"
COMMAND = ["-m", "gateway.migrations"]
# The smallest that Fargate has: the database does the work.
CPU_UNITS = 256
MEMORY_MIB = 512


class MigrationTask(Construct):
    """A Fargate task of the gateway's image that runs the migrations once and ends.

    Its task role may do nothing. The owner's password is known to this task alone: ECS reads it from
    `settings`, whose secrets `secret_key` encrypts.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image: ecs.ContainerImage,
        cpu_architecture: ecs.CpuArchitecture,
        settings: ContainerSettings,
        secret_key: kms.IKey,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self.definition = ecs.FargateTaskDefinition(
            self,
            "Definition",
            cpu=CPU_UNITS,
            memory_limit_mib=MEMORY_MIB,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=cpu_architecture,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        self.log_group = logs.LogGroup(
            self, "LogGroup", encryption_key=log_key, retention=log_retention, removal_policy=removal_policy
        )
        self.definition.add_container(
            CONTAINER,
            image=image,
            # In place of the image's own, which serves requests.
            entry_point=[PYTHON],
            command=COMMAND,
            environment=dict(settings.environment),
            secrets=dict(settings.secrets),
            user=USER,
            readonly_root_filesystem=True,
            linux_parameters=linux_parameters(self),
            # Every line counts here and there are few of them, so it waits for the log service.
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix=CONTAINER, log_group=self.log_group, mode=ecs.AwsLogDriverMode.BLOCKING
            ),
        )
        let_ecs_decrypt_secrets(self.definition, secret_key)
        acknowledge_findings(self.definition)
