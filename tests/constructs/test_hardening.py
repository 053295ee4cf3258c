import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from gatehouse.hardening import tasks_of_this_account
from tests.constructs.conftest import Properties


def test_a_task_s_role_is_assumed_for_tasks_of_this_account_and_region_alone(
    stack: cdk.Stack, properties: Properties
) -> None:
    iam.Role(stack, "Role", assumed_by=tasks_of_this_account(stack))
    (role,) = properties("AWS::IAM::Role")
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111111111111"},
        "ArnLike": {"aws:SourceArn": "arn:aws:ecs:eu-central-1:111111111111:*"},
    }
