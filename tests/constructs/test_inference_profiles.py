"""Application inference profiles: what each copies, and how a bill tells projects apart."""

from typing import Any

import aws_cdk as cdk
import pytest

from gatehouse.inference_profiles import ProjectProfiles
from gateway.catalog import BedrockDeployment
from tests.constructs.conftest import Properties

LONG = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def _deployment(model_id: str, number: int = 0) -> BedrockDeployment:
    return BedrockDeployment(name=f"d-{number}", provider="bedrock", region="eu-central-1", model_id=model_id)


@pytest.fixture
def profiles(stack: cdk.Stack, properties: Properties) -> list[dict[str, Any]]:
    made = ProjectProfiles(
        stack,
        "Profiles",
        environment="prod",
        projects=["search", "a-project-with-a-long-name"],
        deployments=[
            _deployment("amazon.titan-embed-text-v2:0", 1),
            _deployment(LONG, 2),
            _deployment(LONG, 3),
        ],
    )
    assert len(made.arns) == 4
    return properties("AWS::Bedrock::ApplicationInferenceProfile")


def test_each_project_has_one_of_every_model_once(profiles: list[dict[str, Any]]) -> None:
    sources = [profile["ModelSource"]["CopyFrom"] for profile in profiles]
    foundation = "arn:aws:bedrock:eu-central-1::foundation-model/amazon.titan-embed-text-v2:0"
    crossing = f"arn:aws:bedrock:eu-central-1:111111111111:inference-profile/{LONG}"
    assert sorted(sources) == sorted(2 * [foundation, crossing])


def test_the_project_is_a_tag(profiles: list[dict[str, Any]]) -> None:
    tags = [tag for profile in profiles for tag in profile["Tags"] if tag["Key"] == "gatehouse:project"]
    assert {tag["Value"] for tag in tags} == {"search", "a-project-with-a-long-name"}
    assert len(tags) == 4


def test_names_are_what_bedrock_takes_and_differ(profiles: list[dict[str, Any]]) -> None:
    names = [profile["InferenceProfileName"] for profile in profiles]
    assert "prod-search-us-anthropic-claude-sonnet-4-5-20250929-v1-0" in names
    assert all(len(name) <= 64 for name in names)
    assert all(word.isalnum() for name in names for word in name.split("-"))
    assert len(set(names)) == 4
