"""What Cognito may do with the key of a user pool that is in two regions."""

from typing import Any

import pytest
from aws_cdk import aws_iam as iam

from gatehouse.user_pool_key import user_pool_statements
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.directories import new_stack

PRIMARY = "us-east-1"
POOLS = f"arn:aws:cognito-idp:*:{ACCOUNT}:userpool/{PRIMARY}_*"
CONTEXT = "kms:EncryptionContext:aws:cognito-idp:userpool-arn"
USE = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*"]


@pytest.fixture(scope="module")
def statements() -> list[dict[str, Any]]:
    """Of a key in one region for the pools of another, which are copied there."""
    stack = new_stack()
    document = iam.PolicyDocument(statements=user_pool_statements(stack, PRIMARY))
    found: list[dict[str, Any]] = stack.resolve(document)["Statement"]
    return found


def _of(statements: list[dict[str, Any]], principal: Any) -> list[dict[str, Any]]:
    return [statement for statement in statements if statement["Principal"] == principal]


def test_cognito_uses_it_for_the_pools_of_this_account_made_in_that_region(
    statements: list[dict[str, Any]],
) -> None:
    services = {"Service": ["cognito-idp.amazonaws.com", "identitystore.amazonaws.com"]}
    use, look = _of(statements, services)
    source = {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": POOLS}}
    assert use["Action"] == USE
    assert use["Condition"] == source | {"StringLike": {CONTEXT: POOLS}}
    assert look["Action"] == "kms:DescribeKey"
    assert look["Condition"] == source


def test_who_administers_people_uses_it_through_cognito_and_not_otherwise(
    statements: list[dict[str, Any]],
) -> None:
    use, look = _of(statements, {"AWS": "*"})
    through = {
        "StringEquals": {
            "kms:CallerAccount": ACCOUNT,
            "kms:ViaService": f"cognito-idp.{REGION}.amazonaws.com",
        }
    }
    assert use["Action"] == USE
    assert use["Condition"] == through | {"StringLike": {CONTEXT: POOLS}}
    assert look["Action"] == "kms:DescribeKey"
    assert look["Condition"] == through


def test_records_of_sign_ins_pass_through_it_on_their_way_to_this_account_s_logs(
    statements: list[dict[str, Any]],
) -> None:
    logs = {"StringLike": {"kms:EncryptionContext:SourceArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:*"}}
    (written,) = _of(statements, {"Service": "cognito-idp.amazonaws.com"})
    (delivered,) = _of(statements, {"Service": "delivery.logs.amazonaws.com"})
    assert (written["Action"], written["Condition"]) == (["kms:Encrypt", "kms:GenerateDataKey"], logs)
    assert (delivered["Action"], delivered["Condition"]) == (["kms:Decrypt", "kms:GenerateDataKey"], logs)


def test_nobody_else_may_anything(statements: list[dict[str, Any]]) -> None:
    assert len(statements) == 6
    assert {statement["Effect"] for statement in statements} == {"Allow"}
