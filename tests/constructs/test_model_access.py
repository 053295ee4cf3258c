"""What the gateway's role may do follows from the catalog, and is nothing else."""

import json
from typing import Any, Literal

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template

from gatehouse.model_access import ModelAccess
from gateway.catalog import Catalog

ROLE = "arn:aws:iam::222222222222:role/models"
KEY = "arn:aws:kms:eu-central-1:111111111111:key/data"
INVOKE = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
PROFILE = "arn:aws:bedrock:eu-central-1:111111111111:inference-profile/eu.amazon.nova-lite-v1:0"
APPLICATION_PROFILE = "arn:aws:bedrock:eu-central-1:111111111111:application-inference-profile/a1b2"
ANY_REGION = "arn:aws:bedrock:*::foundation-model/amazon.nova-lite-v1:0"
HERE = "arn:aws:bedrock:eu-central-1::foundation-model/amazon.nova-lite-v1:0"


def _bedrock(model_id: str = "amazon.nova-lite-v1:0", **others: object) -> dict[str, object]:
    return {"provider": "bedrock", "region": "eu-central-1", "model_id": model_id, **others}


def _access(
    stack: cdk.Stack,
    *deployments: dict[str, object],
    authentication: Literal["signature", "bearer"] = "signature",
) -> ModelAccess:
    models = [
        {"name": f"model-{number}", "deployments": [{"name": f"deployment-{number}", **deployment}]}
        for number, deployment in enumerate(deployments)
    ]
    catalog = Catalog.model_validate({"models": models})
    secret_key = kms.Key.from_key_arn(stack, f"Key{len(stack.node.children)}", KEY)
    return ModelAccess(stack, catalog, bedrock_authentication=authentication, secret_key=secret_key)


def _statements(
    stack: cdk.Stack,
    *deployments: dict[str, object],
    authentication: Literal["signature", "bearer"] = "signature",
) -> list[dict[str, Any]]:
    access = _access(stack, *deployments, authentication=authentication)
    statements = [stack.resolve(statement.to_statement_json()) for statement in access.statements]
    assert {statement.pop("Effect") for statement in statements} <= {"Allow"}
    return statements


def _through(*profiles: str) -> dict[str, dict[str, list[str]]]:
    return {"ArnEquals": {"bedrock:InferenceProfileArn": list(profiles)}}


def test_a_model_called_directly_is_allowed_in_its_region_alone(stack: cdk.Stack) -> None:
    assert _statements(stack, _bedrock()) == [{"Action": INVOKE, "Resource": HERE}]


def test_a_profile_may_choose_the_region_and_nothing_else_may(stack: cdk.Stack) -> None:
    assert _statements(stack, _bedrock("eu.amazon.nova-lite-v1:0")) == [
        {"Action": INVOKE, "Resource": PROFILE},
        {"Action": INVOKE, "Resource": ANY_REGION, "Condition": _through(PROFILE)},
    ]


@pytest.mark.parametrize(
    ("model_id", "model"), [("amazon.nova-lite-v1:0", HERE), ("eu.amazon.nova-lite-v1:0", ANY_REGION)]
)
def test_an_application_profile_reaches_its_model_alone(stack: cdk.Stack, model_id: str, model: str) -> None:
    deployment = _bedrock(model_id, application_profile_arn=APPLICATION_PROFILE)
    assert _statements(stack, deployment) == [
        {"Action": INVOKE, "Resource": APPLICATION_PROFILE},
        {"Action": INVOKE, "Resource": model, "Condition": _through(APPLICATION_PROFILE)},
    ]


def test_a_model_that_profiles_share_is_allowed_once_through_each(stack: cdk.Stack) -> None:
    here = _bedrock("eu.amazon.nova-lite-v1:0")
    there = _bedrock("us.amazon.nova-lite-v1:0", region="us-east-1")
    other = "arn:aws:bedrock:us-east-1:111111111111:inference-profile/us.amazon.nova-lite-v1:0"
    assert _statements(stack, here, here, there) == [
        {"Action": INVOKE, "Resource": [PROFILE, other]},
        {"Action": INVOKE, "Resource": ANY_REGION, "Condition": _through(PROFILE, other)},
    ]


def test_many_deployments_fit_the_policies_of_a_role(stack: cdk.Stack) -> None:
    scopes = {"us-east-1": "us", "us-west-2": "us", "eu-central-1": "eu", "eu-west-1": "eu"}
    access = _access(
        stack,
        *(
            _bedrock(f"{scope}.anthropic.claude-{number}-20260101-v1:0", region=region)
            for number in range(20)
            for region, scope in scopes.items()
        ),
    )
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    for statement in access.statements:
        role.add_to_policy(statement)
    resources = Template.from_stack(stack).to_json()["Resources"].values()
    inline = [r for r in resources if r["Type"] == "AWS::IAM::Policy"]
    managed = [r for r in resources if r["Type"] == "AWS::IAM::ManagedPolicy"]
    # IAM's quotas: characters of all inline policies of a role, of a managed one, and how many of these.
    assert sum(_length(policy) for policy in inline) <= 10_240
    assert all(_length(policy) <= 6_144 for policy in managed)
    assert len(managed) <= 10


def _length(policy: dict[str, Any]) -> int:
    return len(json.dumps(policy["Properties"]["PolicyDocument"], separators=(",", ":")))


def test_tokens_are_counted_for_anthropic_s_models_in_the_region_that_is_called(stack: cdk.Stack) -> None:
    *_, count = _statements(stack, _bedrock("eu.anthropic.claude-1-v1:0"), _bedrock())
    assert count == {
        "Action": "bedrock:CountTokens",
        "Resource": "arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-1-v1:0",
    }


@pytest.mark.parametrize("identifier", ["gr1", "arn:aws:bedrock:eu-central-1:111111111111:guardrail/gr1"])
def test_a_named_guardrail_may_be_applied(stack: cdk.Stack, identifier: str) -> None:
    _, apply = _statements(stack, _bedrock(guardrail={"identifier": identifier, "version": "1"}))
    assert apply == {
        "Action": "bedrock:ApplyGuardrail",
        "Resource": "arn:aws:bedrock:eu-central-1:111111111111:guardrail/gr1",
    }


def test_a_guardrail_of_several_regions_may_be_applied_in_each(stack: cdk.Stack) -> None:
    guarded = _bedrock(guardrail={"identifier": "gr1", "version": "1", "profile": "eu.guardrail.v1:0"})
    _, apply = _statements(stack, guarded)
    profile = "arn:aws:bedrock:*:111111111111:guardrail-profile/eu.guardrail.v1:0"
    assert apply == {
        "Action": "bedrock:ApplyGuardrail",
        "Resource": [profile, "arn:aws:bedrock:eu-central-1:111111111111:guardrail/gr1"],
    }
    assert [stack.resolve(resource) for resource in _access(stack, guarded).open_resources] == [profile]


def test_what_another_account_s_role_calls_needs_that_role_alone(stack: cdk.Stack) -> None:
    guardrail = {"identifier": "gr1", "version": "1"}
    endpoint = {"provider": "sagemaker", "region": "us-east-1", "endpoint_name": "llama"}
    statements = _statements(
        stack,
        _bedrock("eu.anthropic.claude-1-v1:0", role_arn=ROLE, guardrail=guardrail),
        {**endpoint, "role_arn": f"{ROLE}-2"},
        _bedrock(role_arn=ROLE, guardrail=guardrail),
        authentication="bearer",
    )
    assert statements == [
        {"Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": [ROLE, f"{ROLE}-2"]},
    ]


def test_keys_are_read_from_the_named_secrets_alone(stack: cdk.Stack) -> None:
    compatible: dict[str, object] = {
        "provider": "openai_compatible",
        "base_url": "https://api.example.com/v1",
        "model": "m",
    }
    arn = "arn:aws:secretsmanager:us-east-1:333333333333:secret:shared/key-AbCdEf"
    statements = _statements(
        stack,
        compatible,
        compatible | {"api_key_secret": "providers/openai"},
        compatible | {"api_key_secret": arn},
    )
    secrets = ["arn:aws:secretsmanager:eu-central-1:111111111111:secret:providers/openai-??????", arn]
    assert statements == [
        {"Action": "secretsmanager:GetSecretValue", "Resource": secrets},
        {
            "Action": "kms:Decrypt",
            "Resource": KEY,
            "Condition": {
                "StringEquals": {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"},
                "ArnLike": {"kms:EncryptionContext:SecretARN": secrets},
            },
        },
    ]


def test_a_sagemaker_endpoint_is_called_in_its_region_by_either_case_of_its_name(stack: cdk.Stack) -> None:
    (statement,) = _statements(
        stack,
        {
            "provider": "sagemaker",
            "region": "us-west-2",
            "endpoint_name": "Llama",
            "inference_component": "adapter",
        },
    )
    assert statement["Action"] == ["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointWithResponseStream"]
    assert statement["Resource"] == [
        "arn:aws:sagemaker:us-west-2:111111111111:endpoint/Llama",
        "arn:aws:sagemaker:us-west-2:111111111111:endpoint/llama",
        "arn:aws:sagemaker:us-west-2:111111111111:inference-component/adapter",
    ]


def test_bearer_tokens_are_allowed_only_where_they_are_used(stack: cdk.Stack) -> None:
    elsewhere = _bedrock(region="us-east-1")
    *_, bearer = _statements(stack, _bedrock(), elsewhere, authentication="bearer")
    assert bearer == {
        "Action": "bedrock:CallWithBearerToken",
        "Resource": "*",
        "Condition": {
            "StringEquals": {
                "aws:RequestedRegion": ["eu-central-1", "us-east-1"],
                "bedrock:BearerTokenType": "SHORT_TERM",
            }
        },
    }
    assert "bedrock:CallWithBearerToken" not in str(_statements(stack, _bedrock(), elsewhere))


def test_every_open_resource_has_a_reason(stack: cdk.Stack) -> None:
    access = _access(
        stack, _bedrock("eu.amazon.nova-lite-v1:0"), _bedrock(region="us-east-1"), authentication="bearer"
    )
    granted = [stack.resolve(statement.to_statement_json())["Resource"] for statement in access.statements]
    flat = [r for resource in granted for r in (resource if isinstance(resource, list) else [resource])]
    assert {resource for resource in flat if "*" in resource} == access.open_resources.keys()
    assert _access(stack, _bedrock()).open_resources == {}
