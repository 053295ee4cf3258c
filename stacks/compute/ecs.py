"""The gateway as tasks on ECS Fargate."""

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs

from gatehouse import names
from gatehouse.collector import requests_in_flight
from gatehouse.container_image import container_image
from gatehouse.gateway_service import GatewayService
from gatehouse.gateway_task import CONTAINER, GatewayTask
from gatehouse.service_targets import Canary
from gatehouse.task_scaling import TaskScaling
from stacks.compute.gateway import Gateway
from stacks.compute.migrations import run_migrations
from stacks.compute.recovery_actions import add_data_actions, add_ecs_actions
from stacks.config.model import Environment
from stacks.images import gateway_image
from stacks.lifetimes import log_retention, removal_policy


def run_on_ecs(stack: cdk.Stack, gateway: Gateway) -> None:
    """Run the gateway as a service of tasks, behind its migrations and the catalog that it starts with."""
    image = gateway_image(stack, gateway.config)
    task = _task(stack, gateway, image)
    gateway.grant_backends(task.definition.task_role)
    running = _service(stack, gateway, task)
    if gateway.models is not None:
        running.service.node.add_dependency(gateway.models.deployed)
    if gateway.profile.migrations is not None:
        migrated = run_migrations(
            stack, gateway, image=image, migrations=gateway.profile.migrations, cluster=running.cluster
        )
        running.service.node.add_dependency(migrated)
        if gateway.models is not None:
            # They take their minutes: the alarm that watches the first catalog has data by then.
            gateway.models.deployed.node.add_dependency(migrated)
    if gateway.config.standby_region is not None:
        add_data_actions(stack, gateway)
        add_ecs_actions(stack, gateway)
    cdk.CfnOutput(stack, "ClusterName", value=running.cluster.cluster_name)
    cdk.CfnOutput(stack, "ServiceName", value=running.service.service_name)
    cdk.CfnOutput(stack, "LogGroupName", value=task.log_group.log_group_name)
    # Whom the roles of other accounts have to trust.
    cdk.CfnOutput(stack, "TaskRoleArn", value=task.definition.task_role.role_arn)


def _task(stack: cdk.Stack, gateway: Gateway, image: ecs.ContainerImage) -> GatewayTask:
    config = gateway.config
    task = GatewayTask(
        stack,
        "Task",
        image=image,
        cpu_architecture=ecs.CpuArchitecture.of(config.service.cpu_architecture.upper()),
        cpu_units=config.service.cpu_units,
        memory_mib=config.service.memory_mib,
        collector_image=_collector_image(stack, config),
        environment=config.name,
        profile=gateway.profile,
        task_role_name=names.task_role(config.name, config.region),
        permissions=gateway.access.statements,
        secret_key=gateway.data_key,
        log_key=gateway.log_key,
        log_retention=log_retention(config),
        removal_policy=removal_policy(config),
    )
    gateway.acknowledge_open_resources(task.definition.task_role)
    return task


def _service(stack: cdk.Stack, gateway: Gateway, task: GatewayTask) -> GatewayService:
    settings = gateway.config.service
    running = GatewayService(
        stack,
        "Gateway",
        vpc=gateway.network.vpc,
        subnets=gateway.network.service_subnets,
        security_group=gateway.security_groups.service,
        task_definition=task.definition,
        container_name=CONTAINER,
        container_port=gateway.profile.port,
        targets=gateway.targets,
        canary=_canary(gateway.config),
        alarms=gateway.alarms,
        spot_percent=settings.spot_percent,
        name=names.ecs_service(gateway.config.name) if gateway.config.standby_region else None,
    )
    TaskScaling(
        stack,
        "Scaling",
        service=running.service,
        minimum_tasks=settings.minimum_tasks,
        maximum_tasks=settings.maximum_tasks,
        requests_in_flight=requests_in_flight(gateway.config.name) if gateway.has_metrics else None,
        requests_in_flight_target=settings.concurrent_requests_per_process,
    )
    return running


def _collector_image(stack: cdk.Stack, config: Environment) -> ecs.ContainerImage | None:
    uri = config.service.collector_image
    return container_image(stack, "CollectorImage", uri) if uri else None


def _canary(config: Environment) -> Canary | None:
    service = config.service
    if not service.canary_percent:
        return None
    return Canary(percent=service.canary_percent, bake=cdk.Duration.minutes(service.canary_minutes))
