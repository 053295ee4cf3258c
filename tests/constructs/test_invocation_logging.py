"""Bedrock's log of invocations: what is logged, where, and who may do what."""

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

from gatehouse.functions import cloudformation
from gatehouse.functions.invocation_logging.index import ROLE_SECONDS
from gatehouse.invocation_logging import InvocationLogging
from tests.constructs.conftest import Properties

Make = Callable[..., Properties]


@pytest.fixture
def make(stack: cdk.Stack, key: kms.IKey, properties: Properties) -> Make:
    def make(*, content: bool = False) -> Properties:
        InvocationLogging(
            stack,
            "Logging",
            content=content,
            key=key,
            log_retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        return properties

    return make


def _role(properties: Properties, service: str) -> dict[str, Any]:
    (role,) = (
        role
        for role in properties("AWS::IAM::Role")
        if role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"] == service
    )
    return role


def _statements(properties: Properties, role: str) -> list[dict[str, Any]]:
    (policy,) = (p for p in properties("AWS::IAM::Policy") if role in p["Roles"][0]["Ref"])
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


@pytest.mark.parametrize(("content", "written"), [(False, "false"), (True, "true")])
def test_prompts_are_logged_only_where_that_is_asked_for(make: Make, content: bool, written: str) -> None:
    (configuration,) = make(content=content)("Custom::ModelInvocationLogging")
    assert configuration["Content"] == written


def test_logs_are_encrypted_with_the_given_key_and_end(make: Make) -> None:
    groups = make()("AWS::Logs::LogGroup")
    assert len(groups) == 2
    for group in groups:
        assert group["KmsKeyId"].endswith(":key/imported")
        assert group["RetentionInDays"] == 30


def test_bedrock_writes_on_behalf_of_this_account_and_region_alone(make: Make) -> None:
    trust = _role(make(), "bedrock.amazonaws.com")["AssumeRolePolicyDocument"]["Statement"]
    assert [statement["Condition"] for statement in trust] == [
        {
            "StringEquals": {"aws:SourceAccount": "111111111111"},
            "ArnLike": {"aws:SourceArn": "arn:aws:bedrock:eu-central-1:111111111111:*"},
        }
    ]


def test_bedrock_writes_into_its_one_stream(make: Make) -> None:
    (statement,) = _statements(make(), "Writer")
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert statement["Resource"]["Fn::Join"][1][-1] == ":log-stream:aws/bedrock/modelinvocations"


def test_the_function_may_configure_this_region_and_hand_over_one_role(make: Make) -> None:
    by_service: dict[str, dict[str, Any]] = {}
    for statement in _statements(make(), "LoggingFunctionRole"):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        by_service[actions[0].partition(":")[0]] = statement
    assert by_service.keys() == {"logs", "bedrock", "iam", "cloudformation"}
    assert by_service["bedrock"]["Condition"] == {"StringEquals": {"aws:RequestedRegion": "eu-central-1"}}
    assert by_service["iam"]["Resource"]["Fn::GetAtt"][0].startswith("LoggingWriter")
    assert by_service["iam"]["Condition"] == {
        "StringEquals": {"iam:PassedToService": "bedrock.amazonaws.com"}
    }


def test_the_function_s_time_is_enough_for_a_new_role_to_work(make: Make) -> None:
    (function,) = make()("AWS::Lambda::Function")
    # It looks for as long as it waits for the role that it writes.
    assert function["Timeout"] > 2 * ROLE_SECONDS + cloudformation.RESERVED_SECONDS
