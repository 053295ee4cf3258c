from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2

from gatehouse.endpoints import ServiceEndpoints
from gatehouse.security_groups import SecurityGroups
from tests.constructs.conftest import Properties


@pytest.fixture
def groups(stack: cdk.Stack, vpc: ec2.IVpc) -> SecurityGroups:
    return SecurityGroups(
        stack,
        "Groups",
        vpc=vpc,
        allowed_cidrs=["192.0.2.0/24"],
        service_port=8080,
        database_port=5432,
        cache_port=6379,
    )


def _group(reference: dict[str, Any]) -> str:
    logical_id: str = reference["Fn::GetAtt"][0]
    return logical_id.removeprefix("Groups")[:-8]


@pytest.mark.usefixtures("groups")
def test_the_chain_is_the_only_way_in(properties: Properties) -> None:
    ways = {
        (_group(rule["SourceSecurityGroupId"]), _group(rule["GroupId"]), rule["FromPort"])
        for rule in properties("AWS::EC2::SecurityGroupIngress")
    }
    assert ways == {
        ("LoadBalancer", "Service", 8080),
        ("Service", "Database", 5432),
        ("Service", "Cache", 6379),
        ("Service", "Endpoints", 443),
    }


@pytest.mark.usefixtures("groups")
def test_callers_reach_the_load_balancer_from_allowed_addresses_alone(properties: Properties) -> None:
    inline = [
        (rule["CidrIp"], rule["FromPort"])
        for group in properties("AWS::EC2::SecurityGroup")
        for rule in group.get("SecurityGroupIngress", [])
    ]
    assert sorted(inline) == [("192.0.2.0/24", 80), ("192.0.2.0/24", 443)]


@pytest.mark.usefixtures("groups")
def test_database_cache_and_endpoints_open_no_connections(properties: Properties) -> None:
    sources = {_group(rule["GroupId"]) for rule in properties("AWS::EC2::SecurityGroupEgress")}
    assert sources == {"LoadBalancer", "Service"}
    outward = {
        (group["GroupDescription"], rule["FromPort"])
        for group in properties("AWS::EC2::SecurityGroup")
        for rule in group.get("SecurityGroupEgress", [])
        if rule["CidrIp"] != "255.255.255.255/32"  # the CDK's way to say: nowhere
    }
    assert outward == {("Tasks of the gateway", 443)}


def test_endpoints_admit_their_security_group_alone(
    stack: cdk.Stack, vpc: ec2.IVpc, groups: SecurityGroups, properties: Properties
) -> None:
    ServiceEndpoints(
        stack,
        "Endpoints",
        vpc=vpc,
        subnets=ec2.SubnetSelection(subnet_group_name="service"),
        security_group=groups.endpoints,
    )
    interfaces = [e for e in properties("AWS::EC2::VPCEndpoint") if e["VpcEndpointType"] == "Interface"]
    assert {str(endpoint["ServiceName"]).split(".", 3)[3] for endpoint in interfaces} == {
        "appconfigdata",
        "bedrock-runtime",
        "ecr.api",
        "ecr.dkr",
        "logs",
        "secretsmanager",
        "sts",
    }
    for endpoint in interfaces:
        assert [_group(group) for group in endpoint["SecurityGroupIds"]] == ["Endpoints"]
        assert endpoint["PrivateDnsEnabled"] is True
    # Nobody but the service: the endpoints' group takes no rule of the whole VPC.
    (rule,) = [
        rule
        for rule in properties("AWS::EC2::SecurityGroupIngress")
        if _group(rule["GroupId"]) == "Endpoints"
    ]
    assert _group(rule["SourceSecurityGroupId"]) == "Service"
