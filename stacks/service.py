"""The Service stack."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse import alarms, names
from gatehouse.image_profile import ImageProfile
from gatehouse.image_synthesizer import ImageSynthesizer
from gatehouse.listener_rules import BrowserSignIn, TokenVerification
from gatehouse.model_access import ModelAccess
from gatehouse.model_configuration import ModelConfiguration
from gatehouse.network import Network
from gatehouse.security_groups import SecurityGroups
from gatehouse.service_alarms import errors_alarm, unhealthy_targets_alarm, unwritten_usage_alarm
from gatehouse.service_targets import ServiceTargets
from gateway.catalog import Catalog
from stacks.compute.ecs import run_on_ecs
from stacks.compute.gateway import Gateway
from stacks.config.model import Environment
from stacks.config.schema import catalog_validator_schema
from stacks.data import DataStack
from stacks.edge import EdgeStack
from stacks.identity import IdentityStack
from stacks.images import bundled_profile, foreign_profile
from stacks.regional_stack import RegionalStack
from stacks.registry import RegistryStack


class ServiceStack(RegionalStack):
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
            config=config,
            synthesizer=ImageSynthesizer(
                repository_name=names.image_repository(config.name), repository_stack=registry
            ),
        )
        topic_arn = alarms.topic_arn(self, names.alarm_topic(config.name))
        errors = errors_alarm(
            self,
            "Errors",
            load_balancer=edge.load_balancer,
            canary_percent=config.service.canary_percent,
            topic_arn=topic_arn,
            alarm_name=names.health_alarm(config.name) if config.standby_region else None,
        )
        if config.image.profile == "gatehouse":
            models = _model_configuration(self, config, catalog, errors)
            profile = bundled_profile(config, data, identity, models)
        else:
            models = None
            profile = foreign_profile(self, config, data, identity, data_key)
        targets = _targets(self, config, network, identity, edge, profile)
        not_ready = unhealthy_targets_alarm(
            self,
            "NotReady",
            groups=targets.groups,
            load_balancer=edge.load_balancer,
            topic_arn=topic_arn,
        )
        gateway = Gateway(
            config=config,
            profile=profile,
            access=_model_access(self, config, catalog, data_key),
            models=models,
            targets=targets,
            alarms=[errors, not_ready],
            network=network,
            security_groups=security_groups,
            data=data,
            data_key=data_key,
            log_key=log_key,
        )
        if gateway.has_metrics:
            # None of those that take a version back: it is no version's fault that the database is away, or
            # a replica still, as while a cold standby is deployed to take over from a lost region.
            unwritten_usage_alarm(self, "UsageWaits", environment=config.name, topic_arn=topic_arn)
        if config.compute.platform == "eks":
            _run_on_eks(self, gateway)
        else:
            run_on_ecs(self, gateway)


def _run_on_eks(stack: cdk.Stack, gateway: Gateway) -> None:
    # The models of Kubernetes' objects take a second to load, which no environment on ECS should wait for.
    from stacks.compute.eks import run_on_eks

    run_on_eks(stack, gateway)


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
        drain=cdk.Duration.minutes(config.service.drain_minutes),
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
            issuer=identity.issuer,
        )
    directory = identity.directory
    if config.edge.sign_in_paths and directory is not None:
        BrowserSignIn(
            stack,
            "BrowserSignIn",
            listener=edge.listener,
            target_group=targets.groups[0],
            paths=config.edge.sign_in_paths,
            user_pool=directory.user_pool,
            client=directory.console_client,
            domain=directory.domain,
        )


def _model_access(
    stack: cdk.Stack, config: Environment, catalog: Catalog, secret_key: kms.IKey
) -> ModelAccess:
    return ModelAccess(
        stack,
        catalog,
        bedrock_authentication=config.service.bedrock_authentication,
        secret_key=secret_key,
    )


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
