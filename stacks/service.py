"""The Service stack."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse import names
from gatehouse.container_settings import ContainerSettings, container_settings, default_port
from gatehouse.findings import acknowledge
from gatehouse.gateway_service import GatewayService
from gatehouse.gateway_task import CONTAINER, GatewayTask
from gatehouse.image_synthesizer import ImageSynthesizer
from gatehouse.model_access import ModelAccess
from gatehouse.model_configuration import ModelConfiguration
from gatehouse.network import Network
from gatehouse.security_groups import SecurityGroups
from gateway.catalog import Catalog
from stacks.config.model import Environment
from stacks.config.schema import catalog_validator_schema
from stacks.data import DataStack
from stacks.edge import EdgeStack
from stacks.lifetimes import log_retention, removal_policy
from stacks.registry import RegistryStack

IMAGE_DIRECTORY = Path(__file__).resolve().parent.parent / "gateway_image"
# A process uses one core at most.
_CPU_UNITS_OF_A_CORE = 1024
_ARCHITECTURES = {
    "arm64": (ecs.CpuArchitecture.ARM64, ecr_assets.Platform.LINUX_ARM64),
    "x86_64": (ecs.CpuArchitecture.X86_64, ecr_assets.Platform.LINUX_AMD64),
}


class ServiceStack(cdk.Stack):
    """The gateway itself and the models that it serves."""

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
        models = _model_configuration(self, config, catalog)
        task = self._task(config, catalog, models, _settings(config, data, models), data_key, log_key)
        gateway = GatewayService(
            self,
            "Gateway",
            vpc=network.vpc,
            subnets=network.service_subnets,
            security_group=security_groups.service,
            task_definition=task.definition,
            container_name=CONTAINER,
            container_port=default_port("port"),
            load_balancer=edge.load_balancer,
            listener=edge.listener,
            minimum_tasks=config.service.minimum_tasks,
            maximum_tasks=config.service.maximum_tasks,
        )
        gateway.service.node.add_dependency(models.deployed)
        cdk.CfnOutput(self, "ClusterName", value=gateway.cluster.cluster_name)
        cdk.CfnOutput(self, "ServiceName", value=gateway.service.service_name)
        # Whom the roles of other accounts have to trust.
        cdk.CfnOutput(self, "TaskRoleArn", value=task.definition.task_role.role_arn)

    def _task(
        self,
        config: Environment,
        catalog: Catalog,
        models: ModelConfiguration,
        settings: ContainerSettings,
        data_key: kms.IKey,
        log_key: kms.IKey,
    ) -> GatewayTask:
        cpu_architecture, image_platform = _ARCHITECTURES[config.service.cpu_architecture]
        image = ecr_assets.DockerImageAsset(
            self, "Image", directory=str(IMAGE_DIRECTORY), platform=image_platform, asset_name="gateway"
        )
        access = ModelAccess(self, catalog, bedrock_authentication=config.service.bedrock_authentication)
        task = GatewayTask(
            self,
            "Task",
            image=ecs.ContainerImage.from_docker_image_asset(image),
            cpu_architecture=cpu_architecture,
            cpu_units=config.service.cpu_units,
            memory_mib=config.service.memory_mib,
            port=default_port("port"),
            settings=settings,
            permissions=access.statements,
            secret_key=data_key,
            log_key=log_key,
            log_retention=log_retention(config),
            removal_policy=removal_policy(config),
        )
        models.grant_read(task.definition.task_role)
        acknowledge(
            task.definition.task_role,
            {f"IAM5[Resource::{resource}]": reason for resource, reason in access.open_resources.items()},
        )
        return task


def _model_configuration(stack: cdk.Stack, config: Environment, catalog: Catalog) -> ModelConfiguration:
    return ModelConfiguration(
        stack,
        "Models",
        catalog_json=catalog.model_dump_json(indent=2, exclude_none=True),
        validator_schema=catalog_validator_schema(),
        rollout=cdk.Duration.minutes(config.service.catalog_rollout_minutes),
    )


def _settings(config: Environment, data: DataStack, models: ModelConfiguration) -> ContainerSettings:
    database = data.database
    return container_settings(
        values={
            "environment": config.name,
            "region": config.region,
            "models_source": models.source,
            "bedrock_authentication": config.service.bedrock_authentication,
            "workers": str(max(1, config.service.cpu_units // _CPU_UNITS_OF_A_CORE)),
            "cache_host": data.cache.host,
            "cache_port": data.cache.port,
            "cache_username": data.cache.username,
            "database_host": database.instance.db_instance_endpoint_address,
            "database_port": database.instance.db_instance_endpoint_port,
            "database_name": database.name,
        },
        secrets={
            "api_keys": ecs.Secret.from_secrets_manager(data.bootstrap_keys.secret),
            "cache_password": ecs.Secret.from_secrets_manager(data.cache.secret, "password"),
            "database_username": ecs.Secret.from_secrets_manager(database.secret, "username"),
            "database_password": ecs.Secret.from_secrets_manager(database.secret, "password"),
        },
    )
