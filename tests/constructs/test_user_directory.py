from typing import Any

import aws_cdk as cdk
import pytest

from gatehouse.user_directory import UserDirectory
from tests.constructs.conftest import Properties


@pytest.fixture
def pool(stack: cdk.Stack, properties: Properties) -> dict[str, Any]:
    UserDirectory(
        stack,
        "Users",
        domain_prefix="gatehouse-test-111111111111",
        deletion_protection=True,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    (pool,) = properties("AWS::Cognito::UserPool")
    return pool


def test_accounts_come_from_administrators(pool: dict[str, Any]) -> None:
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    assert pool["DeletionProtection"] == "ACTIVE"


def test_sign_in_is_strong(pool: dict[str, Any]) -> None:
    policy = pool["Policies"]["PasswordPolicy"]
    assert policy["MinimumLength"] >= 14
    assert all(value for name, value in policy.items() if name.startswith("Require"))
    assert pool["MfaConfiguration"] == "OPTIONAL"
    assert pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]
    assert pool["UserPoolTier"] == "PLUS"
    assert pool["UserPoolAddOns"]["AdvancedSecurityMode"] == "ENFORCED"


@pytest.mark.usefixtures("pool")
def test_groups_are_the_roles_of_the_gateway(properties: Properties) -> None:
    assert {group["GroupName"] for group in properties("AWS::Cognito::UserPoolGroup")} == {"admin", "user"}


@pytest.mark.usefixtures("pool")
def test_a_machine_gets_tokens_for_invoking_and_nothing_else(properties: Properties) -> None:
    (client,) = properties("AWS::Cognito::UserPoolClient")
    assert client["AllowedOAuthFlows"] == ["client_credentials"]
    (scope,) = client["AllowedOAuthScopes"]
    assert scope["Fn::Join"][1][1] == "/invoke"
    assert client["GenerateSecret"] is True
    assert client["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    (server,) = properties("AWS::Cognito::UserPoolResourceServer")
    assert server["Identifier"] == "gateway"
