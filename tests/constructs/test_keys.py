import aws_cdk as cdk

from gatehouse.keys import EncryptionKeys
from tests.constructs.conftest import Properties


def test_keys_are_multi_region_and_rotate(stack: cdk.Stack, properties: Properties) -> None:
    EncryptionKeys(stack, "Keys", removal_policy=cdk.RemovalPolicy.DESTROY)
    keys = properties("AWS::KMS::Key")
    assert len(keys) == 2
    for key in keys:
        assert key["MultiRegion"] is True
        assert key["EnableKeyRotation"] is True
        assert key["PendingWindowInDays"] == 30


def test_cloudwatch_logs_may_use_the_log_key_for_log_groups_of_this_account_alone(
    stack: cdk.Stack, properties: Properties
) -> None:
    EncryptionKeys(stack, "Keys", removal_policy=cdk.RemovalPolicy.DESTROY)
    statements = [
        statement
        for key in properties("AWS::KMS::Key")
        for statement in key["KeyPolicy"]["Statement"]
        if "Service" in statement["Principal"]
    ]
    (statement,) = statements
    assert statement["Principal"]["Service"] == "logs.eu-central-1.amazonaws.com"
    assert statement["Condition"] == {
        "ArnLike": {
            "kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:eu-central-1:111111111111:log-group:*"
        }
    }


def test_grants_leave_the_key_policies_alone(stack: cdk.Stack, properties: Properties) -> None:
    keys = EncryptionKeys(stack, "Keys", removal_policy=cdk.RemovalPolicy.DESTROY)
    role = cdk.aws_iam.Role(stack, "Role", assumed_by=cdk.aws_iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    keys.data.grant_decrypt(role)
    assert "Role" not in str(properties("AWS::KMS::Key"))
    assert len(properties("AWS::IAM::Policy")) == 1
