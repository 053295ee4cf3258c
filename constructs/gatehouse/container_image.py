"""Images that somebody else has built."""

import re

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from constructs import Construct

_IN_ECR = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.[a-z.]+/([^@]+)@(sha256:[0-9a-f]{64})")


def container_image(scope: Construct, construct_id: str, uri: str) -> ecs.ContainerImage:
    """The image at `uri`, which names its digest. From Amazon ECR, ECS may pull it and nothing else."""
    in_ecr = _IN_ECR.fullmatch(uri)
    if in_ecr is None:
        return ecs.ContainerImage.from_registry(uri)
    account, region, name, digest = in_ecr.groups()
    arn = cdk.Stack.of(scope).format_arn(
        service="ecr", account=account, region=region, resource="repository", resource_name=name
    )
    repository = ecr.Repository.from_repository_attributes(
        scope, construct_id, repository_arn=arn, repository_name=name
    )
    return ecs.ContainerImage.from_ecr_repository(repository, digest)
