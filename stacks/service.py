"""The Service stack."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse import names
from gatehouse.container_settings import ContainerSettings, default_port
from gatehouse.deployment_task import DeploymentTask
from gatehouse.findings import acknowledge
from gatehouse.gateway_service import GatewayService
from gatehouse.gateway_task import CONTAINER, GatewayTask
from gatehouse.image_synthesizer import ImageSynthesizer
from gatehouse.migration_task import CONTAINER as MIGRATION_CONTAINER
from gatehouse.migration_task import MigrationTask
from gatehouse.model_access import ModelAccess
from gatehouse.model_configuration import ModelConfiguration
from gatehouse.network import Network
from gatehouse.security_groups import SecurityGroups
from gateway.catalog import Catalog
from stacks.config.model import Environment
from stacks.config.schema import catalog_validator_schema
from stacks.data import DataStack
from stacks.edge import EdgeStack
from stacks.identity import IdentityStack
from stacks.lifetimes import log_retention, removal_policy
from stacks.registry import RegistryStack
from stacks.settings import SERVING_USER, gateway_settings, migration_settings

IMAGE_DIRECTORY = Path(__file__).resolve().parent.parent / "gateway_image"
_ARCHITECTURES = {
    "arm64": (ecs.CpuArchitecture.ARM64, ecr_assets.Platform.LINUX_ARM64),
    "x86_64": (ecs.CpuArchitecture.X86_64, ecr_assets.Platform.LINUX_AMD64),
}


class ServiceStack(cdk.Stack):
    """The gateway itself, the models that it serves, and the migrations that run before each rollout."""

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
        models = _model_configuration(self, config, catalog)
        image = self._image(config)
        settings = gateway_settings(config, data, identity, models)
        task = self._task(config, catalog, image, settings, data_key, log_key)
        models.grant_read(task.definition.task_role)
        data.database.instance.grant_connect(task.definition.task_role, SERVING_USER)
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
        migrations = MigrationTask(
            self,
            "Migrations",
            image=image,
            cpu_architecture=_ARCHITECTURES[config.service.cpu_architecture][0],
            settings=migration_settings(data),
            secret_key=data_key,
            log_key=log_key,
            log_retention=log_retention(config),
            removal_policy=removal_policy(config),
        )
        migrated = DeploymentTask(
            self,
            "Migrated",
            resource_type="Custom::DatabaseMigration",
            cluster=gateway.cluster,
            definition=migrations.definition,
            container_name=MIGRATION_CONTAINER,
            log_group=migrations.log_group,
            vpc=network.vpc,
            subnets=network.service_subnets,
            security_group=security_groups.service,
            log_key=log_key,
            log_retention=log_retention(config),
            removal_policy=removal_policy(config),
        )
        gateway.service.node.add_dependency(models.deployed, migrated)
        cdk.CfnOutput(self, "ClusterName", value=gateway.cluster.cluster_name)
        cdk.CfnOutput(self, "ServiceName", value=gateway.service.service_name)
        cdk.CfnOutput(self, "LogGroupName", value=task.log_group.log_group_name)
        # Whom the roles of other accounts have to trust.
        cdk.CfnOutput(self, "TaskRoleArn", value=task.definition.task_role.role_arn)

    def _image(self, config: Environment) -> ecs.ContainerImage:
        asset = ecr_assets.DockerImageAsset(
            self,
            "Image",
            directory=str(IMAGE_DIRECTORY),
            platform=_ARCHITECTURES[config.service.cpu_architecture][1],
            asset_name="gateway",
        )
        return ecs.ContainerImage.from_docker_image_asset(asset)

    def _task(
        self,
        config: Environment,
        catalog: Catalog,
        image: ecs.ContainerImage,
        settings: ContainerSettings,
        data_key: kms.IKey,
        log_key: kms.IKey,
    ) -> GatewayTask:
        access = ModelAccess(self, catalog, bedrock_authentication=config.service.bedrock_authentication)
        task = GatewayTask(
            self,
            "Task",
            image=image,
            cpu_architecture=_ARCHITECTURES[config.service.cpu_architecture][0],
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
