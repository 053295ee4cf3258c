"""Permission to reach what a catalog names, exactly: models, other accounts' roles, keys, endpoints."""

from collections.abc import Iterable, Sequence
from typing import Literal

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from gatehouse.bedrock_access import (
    any_region_models,
    bearer_token_statement,
    bedrock_statements,
    guardrail_profiles,
)
from gateway.catalog import (
    BedrockDeployment,
    Catalog,
    Deployment,
    OpenAICompatibleDeployment,
    SageMakerDeployment,
)


class ModelAccess:
    """What a gateway's own role needs to serve a catalog.

    A deployment that names a role is called as that role: its own permissions are the other account's
    business, and here belongs only the permission to assume it.

    The keys of other providers are secrets that `secret_key` encrypts.

    statements: the permissions. open_resources: those of their resources that hold an asterisk, each with
    the reason, for acknowledging them one by one.
    """

    def __init__(
        self,
        stack: cdk.Stack,
        catalog: Catalog,
        *,
        bedrock_authentication: Literal["signature", "bearer"],
        secret_key: kms.IKey,
    ) -> None:
        deployments = [deployment for model in catalog.models for deployment in model.deployments]
        own = ModelCalls(
            stack,
            [
                d
                for d in deployments
                if isinstance(d, BedrockDeployment | SageMakerDeployment) and d.role_arn is None
            ],
            bedrock_authentication=bedrock_authentication,
        )
        self.statements: list[iam.PolicyStatement] = [
            *own.statements,
            *_assume_roles(deployments),
            *_read_secrets(stack, deployments, secret_key),
        ]
        self.open_resources = own.open_resources


class ModelCalls:
    """What a role in the stack's account needs to call some deployments there: exactly these.

    statements and open_resources are as in ModelAccess.
    """

    def __init__(
        self,
        stack: cdk.Stack,
        deployments: Sequence[BedrockDeployment | SageMakerDeployment],
        *,
        bedrock_authentication: Literal["signature", "bearer"],
    ) -> None:
        bedrock = [d for d in deployments if isinstance(d, BedrockDeployment)]
        self.statements: list[iam.PolicyStatement] = [
            *bedrock_statements(stack, bedrock),
            *_invoke_endpoints(stack, deployments),
        ]
        self.open_resources = dict.fromkeys(
            any_region_models(stack, bedrock),
            "Its inference profile chooses the region; a condition admits that profile's calls alone.",
        )
        self.open_resources |= dict.fromkeys(
            guardrail_profiles(stack, bedrock),
            "The guardrail chooses the region by its profile, which does nothing without the guardrail.",
        )
        if bedrock and bedrock_authentication == "bearer":
            self.statements.append(bearer_token_statement({d.region for d in bedrock}))
            self.open_resources["*"] = (
                "bedrock:CallWithBearerToken takes no resource; what a key calls is authorized besides."
            )


def _assume_roles(deployments: Iterable[Deployment]) -> Iterable[iam.PolicyStatement]:
    roles = {
        d.role_arn
        for d in deployments
        if isinstance(d, BedrockDeployment | SageMakerDeployment) and d.role_arn is not None
    }
    if roles:
        yield iam.PolicyStatement(actions=["sts:AssumeRole", "sts:TagSession"], resources=sorted(roles))


def _read_secrets(
    stack: cdk.Stack, deployments: Iterable[Deployment], key: kms.IKey
) -> Iterable[iam.PolicyStatement]:
    secrets = {
        _secret_arn(stack, d.api_key_secret)
        for d in deployments
        if isinstance(d, OpenAICompatibleDeployment) and d.api_key_secret is not None
    }
    if secrets:
        yield iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=sorted(secrets))
        yield iam.PolicyStatement(
            actions=["kms:Decrypt"],
            resources=[key.key_arn],
            conditions={
                "StringEquals": {"kms:ViaService": f"secretsmanager.{stack.region}.amazonaws.com"},
                "ArnLike": {"kms:EncryptionContext:SecretARN": sorted(secrets)},
            },
        )


def _secret_arn(stack: cdk.Stack, secret_id: str) -> str:
    if secret_id.startswith("arn:"):
        return secret_id
    return stack.format_arn(
        service="secretsmanager",
        resource="secret",
        # Secrets Manager ends a secret's ARN with a hyphen and six characters of its own.
        resource_name=f"{secret_id}-??????",
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )


def _invoke_endpoints(stack: cdk.Stack, deployments: Iterable[Deployment]) -> Iterable[iam.PolicyStatement]:
    called = {
        stack.format_arn(service="sagemaker", region=d.region, resource=resource, resource_name=written)
        for d in deployments
        if isinstance(d, SageMakerDeployment)
        for resource, name in (
            ("endpoint", d.endpoint_name),
            ("inference-component", d.inference_component),
        )
        if name is not None
        # SageMaker writes ARNs in lower case, whatever the case of the name.
        for written in (name, name.lower())
    }
    if called:
        yield iam.PolicyStatement(
            actions=["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointWithResponseStream"],
            resources=sorted(called),
        )
