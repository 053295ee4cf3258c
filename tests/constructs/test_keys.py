from typing import Any

import aws_cdk as cdk

from gatehouse.keys import EncryptionKeys, ModelAccountKey
from tests.constructs.conftest import Properties


def _keys(stack: cdk.Stack) -> EncryptionKeys:
    return EncryptionKeys(
        stack, "Keys", data_key_alias="alias/gatehouse-dev-data", removal_policy=cdk.RemovalPolicy.DESTROY
    )


def _statements(properties: Properties) -> dict[str, list[dict[str, Any]]]:
    """What AWS's services may do with any of the keys."""
    found: dict[str, list[dict[str, Any]]] = {}
    for key in properties("AWS::KMS::Key"):
        for statement in key["KeyPolicy"]["Statement"]:
            if "Service" in statement["Principal"]:
                found.setdefault(statement["Principal"]["Service"], []).append(statement)
    return found


def test_keys_are_multi_region_and_rotate(stack: cdk.Stack, properties: Properties) -> None:
    _keys(stack)
    keys = properties("AWS::KMS::Key")
    assert len(keys) == 2
    for key in keys:
        assert key["MultiRegion"] is True
        assert key["EnableKeyRotation"] is True
        assert key["PendingWindowInDays"] == 30


def test_cloudwatch_logs_may_use_the_log_key_for_log_groups_of_this_account_alone(
    stack: cdk.Stack, properties: Properties
) -> None:
    _keys(stack)
    statements = _statements(properties)["logs.eu-central-1.amazonaws.com"]
    (statement,) = statements
    assert statement["Condition"] == {
        "ArnLike": {
            "kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:eu-central-1:111111111111:log-group:*"
        }
    }


def test_alarms_of_this_account_may_use_the_data_key(stack: cdk.Stack, properties: Properties) -> None:
    _keys(stack)
    (statement,) = _statements(properties)["cloudwatch.amazonaws.com"]
    assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111111111111"},
        "ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:eu-central-1:111111111111:alarm:*"},
    }


def test_trails_of_this_account_may_use_the_data_key(stack: cdk.Stack, properties: Properties) -> None:
    _keys(stack)
    (statement,) = _statements(properties)["cloudtrail.amazonaws.com"]
    # CloudTrail refuses a trail whose bucket has an S3 Bucket Key unless it may decrypt.
    assert statement["Action"] == ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*"]
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111111111111"},
        "ArnLike": {"aws:SourceArn": "arn:aws:cloudtrail:eu-central-1:111111111111:trail/*"},
    }


def test_grants_leave_the_key_policies_alone(stack: cdk.Stack, properties: Properties) -> None:
    keys = _keys(stack)
    role = cdk.aws_iam.Role(stack, "Role", assumed_by=cdk.aws_iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    keys.data.grant_decrypt(role)
    assert "Role" not in str(properties("AWS::KMS::Key"))
    assert len(properties("AWS::IAM::Policy")) == 1


def test_the_data_key_is_found_by_its_alias(stack: cdk.Stack, properties: Properties) -> None:
    _keys(stack)
    (alias,) = properties("AWS::KMS::Alias")
    assert alias["AliasName"] == "alias/gatehouse-dev-data"
    assert alias["TargetKeyId"]["Fn::GetAtt"][0].startswith("KeysData")


def test_a_model_account_s_key_is_for_logs_and_alarms_of_that_account_alone(
    stack: cdk.Stack, properties: Properties
) -> None:
    ModelAccountKey(stack, "Key", removal_policy=cdk.RemovalPolicy.DESTROY)
    (key,) = properties("AWS::KMS::Key")
    assert key["EnableKeyRotation"] is True
    services = {
        statement["Principal"]["Service"]: statement["Condition"]
        for statement in key["KeyPolicy"]["Statement"]
        if "Service" in statement["Principal"]
    }
    assert services == {
        "logs.eu-central-1.amazonaws.com": {
            "ArnLike": {
                "kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:eu-central-1:111111111111:log-group:*"
            }
        },
        "cloudwatch.amazonaws.com": {
            "StringEquals": {"aws:SourceAccount": "111111111111"},
            "ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:eu-central-1:111111111111:alarm:*"},
        },
    }
