"""What must hold between an environment and where its models' deployments are."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.catalog import BedrockDeployment, Catalog, Deployment, OpenAICompatibleDeployment
from gateway.validation import Breach
from stacks.config.model import Environment
from stacks.config.model_access import guardrail_scope

# Where the inference profiles of a scope may be called from, by the beginning of the region's code. From
# "Supported Regions and models for inference profiles" in the Amazon Bedrock User Guide, November 2026. Not
# every model has a profile in every one of these regions.
_CALLED_FROM = {
    "us": ("us-east-", "us-west-", "ca-"),
    "us-gov": ("us-gov-",),
    "eu": ("eu-", "il-"),
    "apac": ("ap-", "me-"),
    "jp": ("ap-northeast-1", "ap-northeast-3"),
    "au": ("ap-southeast-2", "ap-southeast-4", "ap-southeast-6"),
    "ca": ("ca-",),
    "global": ("af-", "ap-", "ca-", "eu-", "il-", "me-", "mx-", "sa-", "us-east-", "us-west-"),
}


def misplaced(environment: Environment, catalog: Catalog) -> Iterator[Breach]:
    """Every deployment that cannot be called from where it is or reached from the environment's network."""
    for model_index, model in enumerate(catalog.models):
        for index, deployment in enumerate(model.deployments):
            path = ("models", model_index, "deployments", index)
            yield from _out_of_scope(path, deployment)
            yield from _closed_port(path, deployment)
            yield from _no_guardrail_profile(path, deployment, environment)
            if environment.network.nat == "none":
                yield from _unreachable(path, deployment, environment.region)


def may_be_called_from(region: str, deployment: BedrockDeployment) -> bool:
    """Whether what a deployment calls exists in a region, as far as the inference profile's scope tells."""
    scope = deployment.model_id.partition(".")[0]
    return not deployment.is_inference_profile or region.startswith(_CALLED_FROM[scope])


def _out_of_scope(path: tuple[str | int, ...], deployment: Deployment) -> Iterator[Breach]:
    if not isinstance(deployment, BedrockDeployment):
        return
    if not may_be_called_from(deployment.region, deployment):
        allowed = f"from {deployment.region} {_scopes_for(deployment.region)}"
        fix = "write another scope before the model, or another region"
        yield Breach((*path, "model_id"), deployment.model_id, allowed, fix)


def _scopes_for(region: str) -> str:
    scopes = [f"{scope}." for scope, prefixes in _CALLED_FROM.items() if region.startswith(prefixes)]
    return f"profiles of {' and '.join(scopes)}" if scopes else "no inference profile"


def _no_guardrail_profile(
    path: tuple[str | int, ...], deployment: Deployment, environment: Environment
) -> Iterator[Breach]:
    """A guardrail of the standard tier is made in every place, by a profile of its region."""
    guardrail = environment.model_access.guardrail
    if guardrail is None or guardrail.tier == "classic" or not isinstance(deployment, BedrockDeployment):
        return
    if guardrail_scope(deployment.region) is None:
        allowed = "a region with guardrail profiles, as model_access.guardrail.tier is standard"
        yield Breach((*path, "region"), deployment.region, allowed, "set the tier to classic or move it")


def _closed_port(path: tuple[str | int, ...], deployment: Deployment) -> Iterator[Breach]:
    """The security group of the tasks lets them out to port 443 alone."""
    if not isinstance(deployment, OpenAICompatibleDeployment):
        return
    url = urlsplit(deployment.base_url)
    if url.scheme != "https" or url.netloc.rpartition("]")[2].partition(":")[2] not in ("", "443"):
        allowed = "https at port 443, the only one that the network lets the gateway out to"
        yield Breach((*path, "base_url"), deployment.base_url, allowed, "offer the service there")


def _unreachable(path: tuple[str | int, ...], deployment: Deployment, region: str) -> Iterator[Breach]:
    """Without NAT there are only the VPC's own endpoints, and they lead to the environment's region."""
    fix = "set network.nat to one or one-per-zone, or remove the deployment"
    if isinstance(deployment, OpenAICompatibleDeployment):
        allowed = "bedrock or sagemaker, as network.nat is none and the VPC has endpoints for these alone"
        yield Breach((*path, "provider"), deployment.provider, allowed, fix)
    elif deployment.region != region:
        allowed = f"{region}, as network.nat is none and the VPC's endpoints lead there alone"
        yield Breach((*path, "region"), deployment.region, allowed, fix)
