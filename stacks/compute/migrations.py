"""The migrations that run on ECS before each rollout of the gateway."""

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs

from gatehouse.deployment_task import DeploymentTask
from gatehouse.image_profile import Migrations
from gatehouse.migration_task import CONTAINER, MigrationTask
from stacks.compute.gateway import Gateway
from stacks.lifetimes import log_retention, removal_policy


def run_migrations(
    stack: cdk.Stack,
    gateway: Gateway,
    *,
    image: ecs.ContainerImage,
    migrations: Migrations,
    cluster: ecs.ICluster,
) -> DeploymentTask:
    """Run the image's migrations where its tasks will run, as the owner of the database."""
    config, database = gateway.config, gateway.data.database
    task = MigrationTask(
        stack,
        "Migrations",
        image=image,
        cpu_architecture=ecs.CpuArchitecture.of(config.service.cpu_architecture.upper()),
        migrations=migrations,
        secret_key=gateway.data_key,
        log_key=gateway.log_key,
        log_retention=log_retention(config),
        removal_policy=removal_policy(config),
    )
    gateway.grant_database(task.definition.task_role, database.owner)
    return DeploymentTask(
        stack,
        "Migrated",
        resource_type="Custom::DatabaseMigration",
        cluster=cluster,
        definition=task.definition,
        container_name=CONTAINER,
        log_group=task.log_group,
        vpc=gateway.network.vpc,
        subnets=gateway.network.service_subnets,
        security_group=gateway.security_groups.service,
        log_key=gateway.log_key,
        log_retention=log_retention(config),
        removal_policy=removal_policy(config),
    )
