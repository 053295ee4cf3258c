"""Where a catalog's models are: the accounts and regions of its deployments."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from gatehouse import names
from gateway.catalog import BedrockDeployment, Catalog, SageMakerDeployment
from stacks.config.model import Environment

AwsDeployment = BedrockDeployment | SageMakerDeployment


@dataclass(frozen=True)
class ModelPlace:
    """An account and a region, and the deployments there.

    roles: the ARNs of the account's roles that belong to this place. IAM knows no regions: all roles of an
    account belong to the place in the environment's region, which no change of the catalog moves.
    """

    account: str
    region: str
    deployments: tuple[AwsDeployment, ...]
    roles: tuple[str, ...]


def model_places(environment: Environment, *catalogs: Catalog) -> list[ModelPlace]:
    """The places of all deployments on AWS, by account and region; of a standby's catalog, too."""
    placed: defaultdict[tuple[str, str], list[AwsDeployment]] = defaultdict(list)
    roles: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for deployment in aws_deployments(*catalogs):
        account = account_of(deployment, environment)
        placed[account, deployment.region].append(deployment)
        if deployment.role_arn is not None:
            roles[account, environment.region].add(deployment.role_arn)
    return [
        ModelPlace(*where, tuple(placed.get(where, ())), tuple(sorted(roles.get(where, ()))))
        for where in sorted(placed.keys() | roles.keys())
    ]


def aws_deployments(*catalogs: Catalog) -> list[AwsDeployment]:
    """The deployments that are in an AWS account, in the catalogs' order; what is in several, once."""
    found = (
        deployment
        for catalog in catalogs
        for model in catalog.models
        for deployment in model.deployments
        if isinstance(deployment, BedrockDeployment | SageMakerDeployment)
    )
    return list(dict.fromkeys(found))


def account_of(deployment: AwsDeployment, environment: Environment) -> str:
    """The account whose quota a deployment uses: its role's, or else the environment's."""
    return deployment.role_arn.split(":")[4] if deployment.role_arn is not None else environment.account


def external_id(environment: Environment) -> str:
    """What the gateway tells the roles that it assumes."""
    configured = environment.model_access.external_id
    return configured or names.role_external_id(environment.name, environment.account)


def called_as(role_arn: str | None, deployments: Sequence[AwsDeployment]) -> list[AwsDeployment]:
    """The deployments that are called as this role; None is the gateway's own."""
    return [deployment for deployment in deployments if deployment.role_arn == role_arn]
