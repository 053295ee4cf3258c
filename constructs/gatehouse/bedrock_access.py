"""Permission to call exactly the models of a catalog."""

from collections.abc import Iterable, Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from gateway.catalog import BedrockDeployment, Catalog

_ACTIONS = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]


def bedrock_statements(stack: cdk.Stack, catalog: Catalog) -> list[iam.PolicyStatement]:
    """One statement for models called directly, and two for each inference profile.

    A profile calls its model in whatever region it chooses, and Bedrock checks both: the model is
    allowed in every region, but only through that profile.
    """
    direct: set[str] = set()
    models_by_profile: dict[str, str] = {}
    for deployment in _deployments(catalog):
        if deployment.is_inference_profile:
            models_by_profile[_profile_arn(stack, deployment)] = _model_arn(stack, deployment, region="*")
        else:
            direct.add(_model_arn(stack, deployment, region=deployment.region))
    statements = [_allow(direct)] if direct else []
    for profile, model in sorted(models_by_profile.items()):
        through_the_profile = {"StringEquals": {"bedrock:InferenceProfileArn": profile}}
        statements += [_allow([profile]), _allow([model], through_the_profile)]
    return statements


def any_region_models(stack: cdk.Stack, catalog: Catalog) -> list[str]:
    """The ARNs in `bedrock_statements` that leave the region open, for acknowledging them one by one."""
    return sorted(
        {
            _model_arn(stack, deployment, region="*")
            for deployment in _deployments(catalog)
            if deployment.is_inference_profile
        }
    )


def _deployments(catalog: Catalog) -> Iterable[BedrockDeployment]:
    return (deployment for model in catalog.models for deployment in model.deployments)


def _profile_arn(stack: cdk.Stack, deployment: BedrockDeployment) -> str:
    return stack.format_arn(
        service="bedrock",
        region=deployment.region,
        resource="inference-profile",
        resource_name=deployment.model_id,
    )


def _model_arn(stack: cdk.Stack, deployment: BedrockDeployment, *, region: str) -> str:
    return stack.format_arn(
        service="bedrock",
        region=region,
        account="",
        resource="foundation-model",
        resource_name=deployment.foundation_model,
    )


def _allow(
    resources: Iterable[str], conditions: Mapping[str, Mapping[str, str]] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=_ACTIONS, resources=sorted(resources), conditions=conditions)
