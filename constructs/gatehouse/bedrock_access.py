"""Permission to call exactly the Bedrock models of some deployments."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from gateway.catalog import BedrockDeployment

# Converse and Bedrock's own OpenAI-compatible endpoint are authorized by these as well.
_INVOKE = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")


def bedrock_statements(
    stack: cdk.Stack, deployments: Sequence[BedrockDeployment]
) -> list[iam.PolicyStatement]:
    """Calls of the deployments' models, through their inference profiles and guardrails where they have some.

    A profile calls its model in whatever region it chooses, and Bedrock checks both: the model is
    allowed in every region, but only through the profiles that are.
    """
    direct: set[str] = set()
    profiles_by_model: defaultdict[str, set[str]] = defaultdict(set)
    for deployment in deployments:
        if (profile := _profile_arn(stack, deployment)) is None:
            direct.add(_model_arn(stack, deployment, region=deployment.region))
        else:
            profiles_by_model[_profile_s_model_arn(stack, deployment)].add(profile)
    statements = [_allow(_INVOKE, direct)] if direct else []
    # Statements of their own: the CDK joins small ones, and spreads them over policies where there are many.
    for model, profiles in sorted(profiles_by_model.items()):
        through_them = {"ArnEquals": {"bedrock:InferenceProfileArn": sorted(profiles)}}
        statements += [_allow(_INVOKE, profiles), _allow(_INVOKE, [model], through_them)]
    # Tokens are counted for a model itself, whatever profile calls it; of these models only.
    counted: defaultdict[str, set[str]] = defaultdict(set)
    for deployment in deployments:
        if deployment.foundation_model.startswith("anthropic."):
            model = _model_arn(stack, deployment, region=deployment.region)
            counted[deployment.foundation_model].add(model)
    statements += [_allow(["bedrock:CountTokens"], models) for _, models in sorted(counted.items())]
    if guardrails := {arn for deployment in deployments for arn in _guardrail_arns(stack, deployment)}:
        guardrails.update(guardrail_profiles(stack, deployments))
        statements.append(_allow(["bedrock:ApplyGuardrail"], guardrails))
    return statements


def bearer_token_statement(regions: Iterable[str]) -> iam.PolicyStatement:
    """Use of short-term API keys beside signatures; what they may call is what their signer may call."""
    return _allow(
        ["bedrock:CallWithBearerToken"],
        ["*"],
        {
            "StringEquals": {
                "aws:RequestedRegion": sorted(regions),
                "bedrock:BearerTokenType": "SHORT_TERM",
            }
        },
    )


def guardrail_profiles(stack: cdk.Stack, deployments: Iterable[BedrockDeployment]) -> list[str]:
    """The ARNs in `bedrock_statements` of the profiles by which guardrails choose the region they work in."""
    return sorted(
        {
            stack.format_arn(
                service="bedrock",
                region="*",
                resource="guardrail-profile",
                resource_name=deployment.guardrail.profile,
            )
            for deployment in deployments
            if deployment.guardrail is not None and deployment.guardrail.profile is not None
        }
    )


def any_region_models(stack: cdk.Stack, deployments: Sequence[BedrockDeployment]) -> list[str]:
    """The ARNs in `bedrock_statements` that leave the region open, for acknowledging them one by one."""
    return sorted(
        {
            _model_arn(stack, deployment, region="*")
            for deployment in deployments
            if deployment.is_inference_profile
        }
    )


def _profile_arn(stack: cdk.Stack, deployment: BedrockDeployment) -> str | None:
    if deployment.application_profile_arn is not None or not deployment.is_inference_profile:
        return deployment.application_profile_arn
    return stack.format_arn(
        service="bedrock",
        region=deployment.region,
        resource="inference-profile",
        resource_name=deployment.model_id,
    )


def _profile_s_model_arn(stack: cdk.Stack, deployment: BedrockDeployment) -> str:
    # A global profile names its model without any region, which the asterisk admits too.
    return _model_arn(stack, deployment, region="*" if deployment.is_inference_profile else deployment.region)


def _model_arn(stack: cdk.Stack, deployment: BedrockDeployment, *, region: str) -> str:
    return stack.format_arn(
        service="bedrock",
        region=region,
        account="",
        resource="foundation-model",
        resource_name=deployment.foundation_model,
    )


def _guardrail_arns(stack: cdk.Stack, deployment: BedrockDeployment) -> Iterable[str]:
    if deployment.guardrail is None:
        return
    identifier = deployment.guardrail.identifier
    yield (
        identifier
        if identifier.startswith("arn:")
        else stack.format_arn(
            service="bedrock",
            region=deployment.region,
            resource="guardrail",
            resource_name=identifier,
        )
    )


def _allow(
    actions: Sequence[str],
    resources: Iterable[str],
    conditions: Mapping[str, Mapping[str, str | Sequence[str]]] | None = None,
) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=sorted(resources), conditions=conditions)
