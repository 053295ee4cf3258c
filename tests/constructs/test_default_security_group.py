"""What empties the default security group may do that and nothing else."""

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Match, Template

from gatehouse.default_security_group import EmptyDefaultSecurityGroup
from tests.constructs.conftest import ACCOUNT, REGION, Properties


@pytest.fixture(autouse=True)
def group(stack: cdk.Stack, key: kms.IKey) -> EmptyDefaultSecurityGroup:
    return EmptyDefaultSecurityGroup(
        stack,
        "Closed",
        vpc=ec2.Vpc(stack, "Vpc", nat_gateways=0),
        has_ipv6=True,
        log_key=key,
        log_retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )


def test_it_is_the_vpc_s_group_and_runs_again_when_ipv6_gives_it_a_rule(properties: Properties) -> None:
    (resource,) = properties("Custom::EmptyDefaultSecurityGroup")
    assert "DefaultSecurityGroup" in resource["SecurityGroup"]["Fn::GetAtt"]
    assert resource["Ipv6"] is True


def test_it_may_remove_rules_of_this_group_alone(properties: Properties) -> None:
    statements = [
        statement
        for policy in properties("AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
        if "ec2:" in str(statement["Action"])
    ]
    (statement,) = statements
    assert statement["Action"] == ["ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"]
    prefix, reference = statement["Resource"]["Fn::Join"][1]
    assert prefix == f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/"
    assert reference["Fn::GetAtt"][1] == "DefaultSecurityGroup"
    assert all("ManagedPolicyArns" not in role for role in properties("AWS::IAM::Role"))


def test_it_runs_after_its_permissions_and_the_vpc(stack: cdk.Stack) -> None:
    for needed in ("ClosedRoleDefaultPolicy", "VpcpublicSubnet1|VpcPublicSubnet1"):
        Template.from_stack(stack).has_resource(
            "Custom::EmptyDefaultSecurityGroup",
            {"DependsOn": Match.array_with([Match.string_like_regexp(needed)])},
        )


def test_its_log_is_encrypted_and_expires(properties: Properties, key: kms.IKey) -> None:
    (log_group,) = properties("AWS::Logs::LogGroup")
    assert log_group["KmsKeyId"] == key.key_arn
    assert log_group["RetentionInDays"] == 30


def test_silence_ends_with_the_function_s_own_time(properties: Properties) -> None:
    (function,) = properties("AWS::Lambda::Function")
    (resource,) = properties("Custom::EmptyDefaultSecurityGroup")
    assert function["Timeout"] == int(resource["ServiceTimeout"])
    (invoke,) = properties("AWS::Lambda::EventInvokeConfig")
    assert invoke["MaximumRetryAttempts"] == 0
