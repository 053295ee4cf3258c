from typing import Any

import aws_cdk as cdk

from gatehouse.bedrock_access import any_region_models, bedrock_statements
from gateway.catalog import BedrockDeployment, Catalog, Model

PROFILE = "arn:aws:bedrock:eu-central-1:111111111111:inference-profile/eu.anthropic.claude-1-v1:0"
ANY_REGION = "arn:aws:bedrock:*::foundation-model/anthropic.claude-1-v1:0"


def _catalog(*model_ids: str) -> Catalog:
    return Catalog(
        models=tuple(
            Model(
                name=f"model-{number}",
                max_output_tokens=1,
                deployments=(
                    BedrockDeployment(
                        name=f"deployment-{number}",
                        provider="bedrock",
                        region="eu-central-1",
                        model_id=model_id,
                    ),
                ),
            )
            for number, model_id in enumerate(model_ids)
        )
    )


def _statements(stack: cdk.Stack, *model_ids: str) -> list[dict[str, Any]]:
    statements = [
        stack.resolve(s.to_statement_json()) for s in bedrock_statements(stack, _catalog(*model_ids))
    ]
    for statement in statements:
        assert statement.pop("Effect") == "Allow"
        assert statement.pop("Action") == ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
    return statements


def test_a_model_called_directly_is_allowed_in_its_region_alone(stack: cdk.Stack) -> None:
    assert _statements(stack, "amazon.nova-lite-v1:0") == [
        {"Resource": "arn:aws:bedrock:eu-central-1::foundation-model/amazon.nova-lite-v1:0"}
    ]


def test_a_profile_may_choose_the_region_and_nothing_else_may(stack: cdk.Stack) -> None:
    assert _statements(stack, "eu.anthropic.claude-1-v1:0") == [
        {"Resource": PROFILE},
        {
            "Resource": ANY_REGION,
            "Condition": {"StringEquals": {"bedrock:InferenceProfileArn": PROFILE}},
        },
    ]


def test_a_model_that_two_names_share_is_allowed_once(stack: cdk.Stack) -> None:
    assert len(_statements(stack, "eu.anthropic.claude-1-v1:0", "eu.anthropic.claude-1-v1:0")) == 2


def test_every_open_region_is_known(stack: cdk.Stack) -> None:
    catalog = _catalog("eu.anthropic.claude-1-v1:0", "amazon.nova-lite-v1:0")
    assert any_region_models(stack, catalog) == [ANY_REGION]
