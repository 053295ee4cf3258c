from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs

from gatehouse.container_image import container_image
from tests.constructs.conftest import Properties

DIGEST = "sha256:" + 64 * "a"


def _container(stack: cdk.Stack, properties: Properties, uri: str) -> dict[str, Any]:
    definition = ecs.FargateTaskDefinition(stack, "Task")
    definition.add_container("any", image=container_image(stack, "Image", uri))
    (task,) = properties("AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    assert isinstance(container, dict)
    return container


def test_an_image_of_a_public_registry_needs_no_permission(stack: cdk.Stack, properties: Properties) -> None:
    uri = f"public.ecr.aws/some/image@{DIGEST}"
    assert _container(stack, properties, uri)["Image"] == uri
    assert properties("AWS::IAM::Policy") == []


@pytest.mark.parametrize("account", ["111111111111", "222222222222"])
def test_ecs_may_pull_an_image_of_ecr(stack: cdk.Stack, properties: Properties, account: str) -> None:
    uri = f"{account}.dkr.ecr.us-east-1.amazonaws.com/platform/image@{DIGEST}"
    image = _container(stack, properties, uri)["Image"]
    resolved = (
        image
        if isinstance(image, str)
        else "".join(part if isinstance(part, str) else "amazonaws.com" for part in image["Fn::Join"][1])
    )
    assert resolved == uri
    (policy,) = properties("AWS::IAM::Policy")
    pull, sign_in = policy["PolicyDocument"]["Statement"]
    assert pull["Resource"] == f"arn:aws:ecr:us-east-1:{account}:repository/platform/image"
    assert "ecr:BatchGetImage" in pull["Action"]
    assert (sign_in["Action"], sign_in["Resource"]) == ("ecr:GetAuthorizationToken", "*")
