"""The role by which the gateway calls another account's models: who may assume it, and what it may do."""

from typing import Any

import aws_cdk as cdk
import pytest

from gatehouse.model_role import ModelRole
from gateway.catalog import BedrockDeployment
from tests.constructs.conftest import Properties

GATEWAY = "arn:aws:iam::222222222222:role/gatehouse-prod-task-us-east-1"
OPERATOR = "arn:aws:iam::333333333333:role/platform/operators"
PROFILE = "arn:aws:bedrock:us-west-2:111111111111:inference-profile/us.amazon.nova-lite-v1:0"


@pytest.fixture
def role(stack: cdk.Stack, properties: Properties) -> dict[str, Any]:
    ModelRole(
        stack,
        "Role",
        role_arn="arn:aws:iam::111111111111:role/teams/ai/models",
        deployments=[
            BedrockDeployment(
                name="nova", provider="bedrock", region="us-west-2", model_id="us.amazon.nova-lite-v1:0"
            )
        ],
        bedrock_authentication="signature",
        trusted_role_arns=[GATEWAY, OPERATOR],
        external_id="gatehouse-prod",
        session_tags={"project": "gatehouse", "environment": "prod"},
    )
    (role,) = properties("AWS::IAM::Role")
    return role


def _statements(role: dict[str, Any], action: str) -> dict[str, dict[str, Any]]:
    """The trust policy's statements of an action, by the account that they trust."""
    found = [s for s in role["AssumeRolePolicyDocument"]["Statement"] if s["Action"] == action]
    assert {statement["Effect"] for statement in found} == {"Allow"}
    return {statement["Principal"]["AWS"].split(":")[4]: statement["Condition"] for statement in found}


def test_it_has_the_name_and_path_that_the_catalog_calls_it_by(role: dict[str, Any]) -> None:
    assert (role["Path"], role["RoleName"]) == ("/teams/ai/", "models")


def test_sessions_last_no_longer_than_aws_allows_for_a_role_that_a_role_assumes(
    role: dict[str, Any],
) -> None:
    assert role["MaxSessionDuration"] == 3600


def test_exactly_the_named_roles_may_assume_it_with_external_id_and_tags(role: dict[str, Any]) -> None:
    tagged = {"aws:RequestTag/project": "gatehouse", "aws:RequestTag/environment": "prod"}
    assert _statements(role, "sts:AssumeRole") == {
        "222222222222": {
            "ArnEquals": {"aws:PrincipalArn": [GATEWAY]},
            "StringEquals": {"sts:ExternalId": "gatehouse-prod", **tagged},
        },
        "333333333333": {
            "ArnEquals": {"aws:PrincipalArn": [OPERATOR]},
            "StringEquals": {"sts:ExternalId": "gatehouse-prod", **tagged},
        },
    }


def test_sessions_carry_these_tags_and_no_others(role: dict[str, Any]) -> None:
    assert _statements(role, "sts:TagSession")["222222222222"] == {
        "ArnEquals": {"aws:PrincipalArn": [GATEWAY]},
        "StringEquals": {"aws:RequestTag/project": "gatehouse", "aws:RequestTag/environment": "prod"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["project", "environment"]},
    }


def test_the_trust_policy_says_nothing_else(role: dict[str, Any]) -> None:
    assert len(role["AssumeRolePolicyDocument"]["Statement"]) == 4


def test_it_may_call_the_catalog_s_models_of_its_own_account_and_nothing_else(
    role: dict[str, Any], properties: Properties
) -> None:
    (policy,) = properties("AWS::IAM::Policy")
    through, model = policy["PolicyDocument"]["Statement"]
    invoke = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
    assert through == {"Effect": "Allow", "Action": invoke, "Resource": PROFILE}
    assert model == {
        "Effect": "Allow",
        "Action": invoke,
        "Resource": "arn:aws:bedrock:*::foundation-model/amazon.nova-lite-v1:0",
        "Condition": {"ArnEquals": {"bedrock:InferenceProfileArn": [PROFILE]}},
    }
