"""The Service stack."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse import alarms, names
from gatehouse.collector import requests_in_flight
from gatehouse.container_image import container_image
from gatehouse.findings import acknowledge
from gatehouse.gateway_service import GatewayService
from gatehouse.gateway_task import CONTAINER, GatewayTask
from gatehouse.image_profile import ImageProfile
from gatehouse.image_synthesizer import ImageSynthesizer
from gatehouse.listener_rules import BrowserSignIn, TokenVerification
from gatehouse.model_access import ModelAccess
from gatehouse.model_configuration import ModelConfiguration
from gatehouse.network import Network
from gatehouse.security_groups import SecurityGroups
from gatehouse.service_alarms import errors_alarm, unhealthy_targets_alarm
from gatehouse.service_targets import Canary, ServiceTargets
from gatehouse.task_scaling import TaskScaling
from gateway.catalog import Catalog
from stacks.config.model import Environment
from stacks.config.schema import catalog_validator_schema
from stacks.data import DataStack
from stacks.edge import EdgeStack
from stacks.identity import IdentityStack
from stacks.images import bundled_profile, foreign_profile, gateway_image
from stacks.lifetimes import log_retention, removal_policy
from stacks.migrations import run_migrations
from stacks.registry import RegistryStack


class ServiceStack(cdk.Stack):
    """The gateway itself, the models that it serves, and the migrations that run before each rollout.

    Another gateway than the bundled one brings its own configuration of models, and maybe no migrations.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Environment,
        catalog: Catalog,
        network: Network,
        security_groups: SecurityGroups,
        data: DataStack,
        identity: IdentityStack,
        registry: RegistryStack,
        edge: EdgeStack,
        data_key: kms.IKey,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            termination_protection=config.termination_protection,
            synthesizer=ImageSynthesizer(
                repository_name=names.image_repository(config.name), repository_stack=registry
            ),
        )
        errors = errors_alarm(
            self,
            "Errors",
            load_balancer=edge.load_balancer,
            canary_percent=config.service.canary_percent,
            topic_arn=_topic_arn(self, config),
        )
        image = gateway_image(self, config)
        models: ModelConfiguration | None = None
        if config.image.profile == "gatehouse":
            models = _model_configuration(self, config, catalog, errors)
            profile = bundled_profile(config, data, identity, models)
        else:
            profile = foreign_profile(self, config, data, identity, data_key)
        task = self._task(config, catalog, image, profile, data_key, log_key)
        data.cache.grant_connect(task.definition.task_role)
        if profile.database_user is not None:
            data.database.instance.grant_connect(task.definition.task_role, profile.database_user)
        gateway = self._service(config, network, security_groups, identity, edge, task, profile, errors)
        if models is not None:
            models.grant_read(task.definition.task_role)
            gateway.service.node.add_dependency(models.deployed)
        if profile.migrations is not None:
            migrated = run_migrations(
                self,
                config,
                image=image,
                migrations=profile.migrations,
                cluster=gateway.cluster,
                data=data,
                network=network,
                security_groups=security_groups,
                data_key=data_key,
                log_key=log_key,
            )
            gateway.service.node.add_dependency(migrated)
            if models is not None:
                # They take their minutes: the alarm that watches the first catalog has data by then.
                models.deployed.node.add_dependency(migrated)
        cdk.CfnOutput(self, "ClusterName", value=gateway.cluster.cluster_name)
        cdk.CfnOutput(self, "ServiceName", value=gateway.service.service_name)
        cdk.CfnOutput(self, "LogGroupName", value=task.log_group.log_group_name)
        # Whom the roles of other accounts have to trust.
        cdk.CfnOutput(self, "TaskRoleArn", value=task.definition.task_role.role_arn)

    def _service(
        self,
        config: Environment,
        network: Network,
        security_groups: SecurityGroups,
        identity: IdentityStack,
        edge: EdgeStack,
        task: GatewayTask,
        profile: ImageProfile,
        errors: cloudwatch.Alarm,
    ) -> GatewayService:
        targets = _targets(self, config, network, identity, edge, profile)
        not_ready = unhealthy_targets_alarm(
            self,
            "NotReady",
            groups=targets.groups,
            load_balancer=edge.load_balancer,
            topic_arn=_topic_arn(self, config),
        )
        gateway = GatewayService(
            self,
            "Gateway",
            vpc=network.vpc,
            subnets=network.service_subnets,
            security_group=security_groups.service,
            task_definition=task.definition,
            container_name=CONTAINER,
            container_port=profile.port,
            targets=targets,
            canary=_canary(config),
            alarms=[errors, not_ready],
            spot_percent=config.service.spot_percent,
        )
        TaskScaling(
            self,
            "Scaling",
            service=gateway.service,
            minimum_tasks=config.service.minimum_tasks,
            maximum_tasks=config.service.maximum_tasks,
            requests_in_flight=_requests_in_flight(config, profile),
            requests_in_flight_target=config.service.concurrent_requests_per_process,
        )
        return gateway

    def _task(
        self,
        config: Environment,
        catalog: Catalog,
        image: ecs.ContainerImage,
        profile: ImageProfile,
        data_key: kms.IKey,
        log_key: kms.IKey,
    ) -> GatewayTask:
        access = ModelAccess(
            self,
            catalog,
            bedrock_authentication=config.service.bedrock_authentication,
            secret_key=data_key,
        )
        task = GatewayTask(
            self,
            "Task",
            image=image,
            cpu_architecture=ecs.CpuArchitecture.of(config.service.cpu_architecture.upper()),
            cpu_units=config.service.cpu_units,
            memory_mib=config.service.memory_mib,
            collector_image=_collector_image(self, config),
            environment=config.name,
            profile=profile,
            task_role_name=names.task_role(config.name, config.region),
            permissions=access.statements,
            secret_key=data_key,
            log_key=log_key,
            log_retention=log_retention(config),
            removal_policy=removal_policy(config),
        )
        open_resources = {**access.open_resources, **profile.open_resources}
        acknowledge(
            task.definition.task_role,
            {f"IAM5[Resource::{resource}]": reason for resource, reason in open_resources.items()},
        )
        return task


def _targets(
    stack: cdk.Stack,
    config: Environment,
    network: Network,
    identity: IdentityStack,
    edge: EdgeStack,
    profile: ImageProfile,
) -> ServiceTargets:
    targets = ServiceTargets(
        stack,
        "Targets",
        vpc=network.vpc,
        port=profile.port,
        ready_path=profile.ready_path,
        listener=edge.listener,
        canary=config.service.canary_percent > 0,
    )
    _ask_who_calls(stack, config, identity, edge, targets)
    return targets


def _ask_who_calls(
    stack: cdk.Stack, config: Environment, identity: IdentityStack, edge: EdgeStack, targets: ServiceTargets
) -> None:
    if config.edge.verify_tokens:
        TokenVerification(
            stack,
            "TokenVerification",
            listener=edge.listener,
            target_group=targets.groups[0],
            issuer=identity.directory.issuer,
        )
    if config.edge.sign_in_paths:
        BrowserSignIn(
            stack,
            "BrowserSignIn",
            listener=edge.listener,
            target_group=targets.groups[0],
            paths=config.edge.sign_in_paths,
            user_pool=identity.directory.user_pool,
            client=identity.directory.console_client,
            domain=identity.directory.domain,
        )


def _collector_image(stack: cdk.Stack, config: Environment) -> ecs.ContainerImage | None:
    uri = config.service.collector_image
    return container_image(stack, "CollectorImage", uri) if uri else None


def _requests_in_flight(config: Environment, profile: ImageProfile) -> cloudwatch.Metric | None:
    if config.service.collector_image is None or not profile.metrics_ports:
        return None
    return requests_in_flight(config.name)


def _topic_arn(stack: cdk.Stack, config: Environment) -> str:
    return alarms.topic_arn(stack, names.alarm_topic(config.name))


def _canary(config: Environment) -> Canary | None:
    service = config.service
    if not service.canary_percent:
        return None
    return Canary(percent=service.canary_percent, bake=cdk.Duration.minutes(service.canary_minutes))


def _model_configuration(
    stack: cdk.Stack, config: Environment, catalog: Catalog, alarm: cloudwatch.IAlarm
) -> ModelConfiguration:
    return ModelConfiguration(
        stack,
        "Models",
        catalog_json=catalog.model_dump_json(indent=2, exclude_none=True),
        validator_schema=catalog_validator_schema(),
        rollout=cdk.Duration.minutes(config.service.catalog_rollout_minutes),
        alarm=alarm,
    )
