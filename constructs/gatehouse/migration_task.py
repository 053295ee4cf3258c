"""The task definition that brings the database's schema up to date."""

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.hardening import (
    acknowledge_findings,
    let_ecs_decrypt_secrets,
    linux_parameters,
    tasks_of_this_account,
)
from gatehouse.image_profile import Migrations

CONTAINER = "migrations"


class MigrationTask(Construct):
    """A Fargate task of the gateway's image that runs the migrations once and ends.

    Its task role may do what it is granted, which is to sign in as the database's owner. ECS reads the
    secrets of `migrations`, if it has any; `secret_key` encrypts them.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image: ecs.ContainerImage,
        cpu_architecture: ecs.CpuArchitecture,
        migrations: Migrations,
        secret_key: kms.IKey,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self.definition = ecs.FargateTaskDefinition(
            self,
            "Definition",
            cpu=migrations.cpu_units,
            memory_limit_mib=migrations.memory_mib,
            task_role=iam.Role(self, "TaskRole", assumed_by=tasks_of_this_account(self)),
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=cpu_architecture,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        self.log_group = logs.LogGroup(
            self, "LogGroup", encryption_key=log_key, retention=log_retention, removal_policy=removal_policy
        )
        container = migrations.container
        self.definition.add_container(
            CONTAINER,
            image=image,
            entry_point=container.entry_point,
            command=container.command,
            environment=dict(container.settings.environment),
            secrets=container.settings.secrets_for_ecs(),
            user=container.user,
            readonly_root_filesystem=True,
            linux_parameters=linux_parameters(self, container.temporary_mib),
            # Every line counts here and there are few of them, so it waits for the log service.
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix=CONTAINER, log_group=self.log_group, mode=ecs.AwsLogDriverMode.BLOCKING
            ),
        )
        if container.settings.secrets:
            let_ecs_decrypt_secrets(self.definition, secret_key)
        acknowledge_findings(self.definition)
