"""The migrations that run before each rollout of the gateway."""

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms

from gatehouse.deployment_task import DeploymentTask
from gatehouse.image_profile import Migrations
from gatehouse.migration_task import CONTAINER, MigrationTask
from gatehouse.network import Network
from gatehouse.security_groups import SecurityGroups
from stacks.config.model import Environment
from stacks.data import DataStack
from stacks.lifetimes import log_retention, removal_policy


def run_migrations(
    stack: cdk.Stack,
    config: Environment,
    *,
    image: ecs.ContainerImage,
    migrations: Migrations,
    cluster: ecs.ICluster,
    data: DataStack,
    network: Network,
    security_groups: SecurityGroups,
    data_key: kms.IKey,
    log_key: kms.IKey,
) -> DeploymentTask:
    """Run the image's migrations where its tasks will run, as the owner of the database."""
    task = MigrationTask(
        stack,
        "Migrations",
        image=image,
        cpu_architecture=ecs.CpuArchitecture.of(config.service.cpu_architecture.upper()),
        migrations=migrations,
        secret_key=data_key,
        log_key=log_key,
        log_retention=log_retention(config),
        removal_policy=removal_policy(config),
    )
    data.database.instance.grant_connect(task.definition.task_role, data.database.owner)
    return DeploymentTask(
        stack,
        "Migrated",
        resource_type="Custom::DatabaseMigration",
        cluster=cluster,
        definition=task.definition,
        container_name=CONTAINER,
        log_group=task.log_group,
        vpc=network.vpc,
        subnets=network.service_subnets,
        security_group=security_groups.service,
        log_key=log_key,
        log_retention=log_retention(config),
        removal_policy=removal_policy(config),
    )
