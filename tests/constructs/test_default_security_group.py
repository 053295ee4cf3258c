"""What empties the default security group may do that and nothing else."""

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Match, Template

from gatehouse.default_security_group import EmptyDefaultSecurityGroup
from gatehouse.functions import cloudformation
from gatehouse.functions.empty_default_security_group.index import PERMISSION_SECONDS
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


def test_it_runs_after_the_vpc(stack: cdk.Stack) -> None:
    Template.from_stack(stack).has_resource(
        "Custom::EmptyDefaultSecurityGroup",
        {"DependsOn": Match.array_with([Match.string_like_regexp("VpcPublicSubnet1")])},
    )


def test_there_is_time_for_permissions_to_come(properties: Properties) -> None:
    (function,) = properties("AWS::Lambda::Function")
    assert function["Timeout"] > PERMISSION_SECONDS + cloudformation.RESERVED_SECONDS
