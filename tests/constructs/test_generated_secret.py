from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template

from gatehouse.generated_secret import GeneratedSecret, copied_secret
from gatehouse.keys import CopyRegion
from tests.constructs.conftest import ACCOUNT, REGION, Properties


@pytest.fixture
def statements(stack: cdk.Stack, key: kms.IKey, properties: Properties) -> dict[str, dict[str, Any]]:
    """The secret's own policy, by the statements' IDs."""
    GeneratedSecret(
        stack,
        "Secret",
        description="Of a test",
        field="value",
        length=40,
        encryption_key=key,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    (policy,) = properties("AWS::SecretsManager::ResourcePolicy")
    return {statement["Sid"]: statement for statement in policy["ResourcePolicy"]["Statement"]}


def test_the_policy_only_forbids(statements: dict[str, dict[str, Any]]) -> None:
    for statement in statements.values():
        assert (statement["Effect"], statement["Principal"]) == ("Deny", {"AWS": "*"})
        assert statement["Action"] == "secretsmanager:*"


def test_other_accounts_are_shut_out_and_this_one_is_not(statements: dict[str, dict[str, Any]]) -> None:
    """Its administrators must be able to mend the policy itself."""
    assert statements["OtherAccounts"]["Condition"] == {
        "StringNotEquals": {"aws:PrincipalAccount": ACCOUNT},
        "Bool": {"aws:PrincipalIsAWSService": "false"},
    }


def test_nobody_is_answered_without_tls(statements: dict[str, dict[str, Any]]) -> None:
    assert statements["PlainText"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_it_is_generated_and_encrypted_with_our_key(
    statements: dict[str, dict[str, Any]], properties: Properties, key: kms.IKey
) -> None:
    assert statements
    (secret,) = properties("AWS::SecretsManager::Secret")
    assert secret["KmsKeyId"] == key.key_arn
    generated = secret["GenerateSecretString"]
    assert (generated["GenerateStringKey"], generated["PasswordLength"]) == ("value", 40)
    assert "SecretString" not in secret


def test_its_copy_in_another_region_is_encrypted_with_the_key_there(
    stack: cdk.Stack, key: kms.IKey, properties: Properties
) -> None:
    key_there = f"arn:aws:kms:us-west-2:{ACCOUNT}:key/mrk-1"
    GeneratedSecret(
        stack,
        "Secret",
        description="Of a test",
        field="value",
        length=40,
        encryption_key=key,
        removal_policy=cdk.RemovalPolicy.RETAIN,
        copies=CopyRegion(region="us-west-2", key_arn=key_there),
    )
    (secret,) = properties("AWS::SecretsManager::Secret")
    assert secret["ReplicaRegions"] == [{"Region": "us-west-2", "KmsKeyId": key_there}]
    # Another name would be another secret: one that is there already keeps its value when it is copied.
    assert "Name" not in secret


def test_a_copy_is_found_by_its_original(stack: cdk.Stack) -> None:
    original = f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:given-AbCdEf"
    copy = copied_secret(stack, "Copy", original)
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    copy.grant_read(role)
    own = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:given-AbCdEf"
    assert stack.resolve(copy.secret_arn) == own
    (policy,) = Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Resource"] == own
