"""Which gateway's image runs, and how."""

from dataclasses import replace
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from gatehouse.container_image import container_image
from gatehouse.container_settings import ContainerSettings, SecretValue
from gatehouse.image_profile import Backends, ImageProfile
from gatehouse.load_balancer import IDLE_TIMEOUT
from gatehouse.model_configuration import ModelConfiguration
from gatehouse.profiles.custom import custom_profile
from gatehouse.profiles.dial import Dial
from gatehouse.profiles.gatehouse import gatehouse_profile
from gatehouse.profiles.litellm import LiteLlm
from stacks.config.image import Image
from stacks.config.model import Environment
from stacks.data import DataStack
from stacks.identity import IdentityStack
from stacks.lifetimes import removal_policy
from stacks.settings import SERVING_USER, gateway_settings, migration_settings

IMAGE_DIRECTORY = Path(__file__).resolve().parent.parent / "gateway_image"
_PLATFORMS = {"arm64": ecr_assets.Platform.LINUX_ARM64, "x86_64": ecr_assets.Platform.LINUX_AMD64}


def gateway_image(scope: Construct, config: Environment) -> ecs.ContainerImage:
    """The configured image by its digest, or the bundled one, which the CDK CLI builds.

    The bundled image has a tag that is the hash of what it is built from, in a repository whose tags never
    move: its digest is not known before it is built, and the tag names the same image as long as it exists.
    """
    uri = config.image.uri
    if uri is None:
        return ecs.ContainerImage.from_docker_image_asset(_bundled_image(scope, config))
    return container_image(scope, "ForeignImage", uri)


def gateway_image_uri(scope: Construct, config: Environment) -> str:
    """The same image, as nodes of Kubernetes pull it."""
    return config.image.uri or _bundled_image(scope, config).image_uri


def _bundled_image(scope: Construct, config: Environment) -> ecr_assets.DockerImageAsset:
    return ecr_assets.DockerImageAsset(
        scope,
        "Image",
        directory=str(IMAGE_DIRECTORY),
        platform=_PLATFORMS[config.service.cpu_architecture],
        asset_name="gateway",
    )


def bundled_profile(
    config: Environment, data: DataStack, identity: IdentityStack, models: ModelConfiguration
) -> ImageProfile:
    """How the bundled gateway is run: it reads `models`, and signs in to the database as its own user."""
    return gatehouse_profile(
        settings=gateway_settings(config, data, identity, models),
        migration_settings=migration_settings(data),
        database_user=SERVING_USER,
    )


def foreign_profile(
    scope: Construct, config: Environment, data: DataStack, identity: IdentityStack, data_key: kms.IKey
) -> ImageProfile:
    """How another gateway's image is run, with the configured variables and secrets beside the profile's."""
    profile = _foreign_profile(scope, config, data, identity, data_key)
    settings = _with_configured(scope, config.image, profile.container.settings)
    return replace(
        profile,
        container=replace(profile.container, settings=settings),
        open_resources={_as_found(scope, arn): reason for arn, reason in profile.open_resources.items()},
    )


def _with_configured(scope: Construct, image: Image, profile: ContainerSettings) -> ContainerSettings:
    """What is configured wins, also over a secret of the profile by a plain value and the reverse."""
    secrets = {name: _secret(scope, name, reference) for name, reference in image.secrets.items()}
    configured = image.environment.keys() | secrets.keys()
    plain = {name: value for name, value in profile.environment.items() if name not in configured}
    hidden = {name: value for name, value in profile.secrets.items() if name not in configured}
    return ContainerSettings(environment={**plain, **image.environment}, secrets={**hidden, **secrets})


def _as_found(scope: Construct, arn: str) -> str:
    """An ARN as the rule packs write it: a value of another stack by the name of its export."""
    parts = cdk.Stack.of(scope).resolve(arn)["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else part["Fn::ImportValue"] for part in parts)


def _foreign_profile(
    scope: Construct, config: Environment, data: DataStack, identity: IdentityStack, data_key: kms.IKey
) -> ImageProfile:
    image = config.image
    if image.port is not None and image.health_path is not None and image.user is not None:
        return custom_profile(
            port=image.port, ready_path=image.health_path, user=str(image.user), command=image.command
        )
    gateway: type[LiteLlm] | type[Dial] = LiteLlm if image.profile == "litellm" else Dial
    return gateway(
        scope,
        "ForeignGateway",
        backends=_backends(config, data, identity),
        idle_timeout=IDLE_TIMEOUT,
        encryption_key=data_key,
        removal_policy=removal_policy(config),
    ).profile


def _backends(config: Environment, data: DataStack, identity: IdentityStack) -> Backends:
    database, cache = data.database, data.cache
    return Backends(
        region=config.region,
        domain_name=config.edge.domain_name,
        database_host=database.instance.db_instance_endpoint_address,
        database_port=database.instance.db_instance_endpoint_port,
        database_name=database.name,
        database_user=database.owner,
        cache_host=cache.host,
        cache_port=cache.port,
        cache_user=cache.username,
        cache_name=cache.replication_group.ref,
        bucket_name=data.objects.bucket.bucket_name,
        # As CloudFormation imports it, so that a finding about it can be acknowledged by its name.
        bucket_arn=data.export_value(data.objects.bucket.bucket_arn),
        issuer=identity.issuers[0]["issuer"],
    )


def _secret(scope: Construct, variable: str, reference: str) -> SecretValue:
    """ECS's own notation: a secret's ARN, followed by `:field::` for one field of a JSON object."""
    parts = reference.split(":")
    arn, field = ":".join(parts[:7]), parts[7] if len(parts) > 7 else None
    secret = secretsmanager.Secret.from_secret_complete_arn(scope, f"Secret{variable}", arn)
    return SecretValue(secret, field)
