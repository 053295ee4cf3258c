from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2

from gatehouse.security_groups import SecurityGroups
from tests.constructs.conftest import Properties

NOWHERE = "255.255.255.255/32"  # the CDK's way to say it


def security_groups(
    stack: cdk.Stack,
    vpc: ec2.IVpc,
    *,
    has_ipv6: bool = False,
    asks_issuer: bool = False,
    callers: str = "192.0.2.0/24",
    nodes: str | None = None,
) -> SecurityGroups:
    return SecurityGroups(
        stack,
        "Groups",
        vpc=vpc,
        has_ipv6=has_ipv6,
        load_balancer_asks_issuer=asks_issuer,
        allowed_cidrs=[callers],
        service_port=8080,
        database_port=5432,
        cache_port=6379,
        existing_service_group_id=nodes,
    )


@pytest.fixture
def groups(stack: cdk.Stack, vpc: ec2.IVpc) -> SecurityGroups:
    return security_groups(stack, vpc)


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


def test_nodes_of_others_take_the_place_of_the_tasks(
    stack: cdk.Stack, vpc: ec2.IVpc, properties: Properties
) -> None:
    security_groups(stack, vpc, nodes="sg-0123456789abcdef0")
    rules = properties("AWS::EC2::SecurityGroupIngress")
    (into_nodes,) = (rule for rule in rules if rule["GroupId"] == "sg-0123456789abcdef0")
    assert (_group(into_nodes["SourceSecurityGroupId"]), into_nodes["FromPort"]) == ("LoadBalancer", 8080)
    admitted = {
        _group(rule["GroupId"]) for rule in rules if rule["SourceSecurityGroupId"] == "sg-0123456789abcdef0"
    }
    assert admitted == {"Database", "Cache", "Endpoints"}
    # Where the nodes may connect to is not ours to say.
    assert {_group(rule["GroupId"]) for rule in properties("AWS::EC2::SecurityGroupEgress")} == {
        "LoadBalancer"
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
        if rule["CidrIp"] != NOWHERE
    }
    assert outward == {("Tasks of the gateway", 443)}


@pytest.mark.usefixtures("groups")
def test_every_group_and_every_rule_says_what_it_is_for(properties: Properties) -> None:
    groups = properties("AWS::EC2::SecurityGroup")
    rules = properties("AWS::EC2::SecurityGroupIngress") + properties("AWS::EC2::SecurityGroupEgress")
    for group in groups:
        rules += group.get("SecurityGroupIngress", []) + group.get("SecurityGroupEgress", [])
    assert all(rule["Description"] for rule in rules)
    assert all(group["GroupDescription"] for group in groups)


@pytest.mark.usefixtures("groups")
def test_every_rule_opens_one_port(properties: Properties) -> None:
    for group in properties("AWS::EC2::SecurityGroup"):
        for rule in group.get("SecurityGroupIngress", []) + group.get("SecurityGroupEgress", []):
            if rule.get("CidrIp") != NOWHERE:
                assert (rule["IpProtocol"], rule["FromPort"]) == ("tcp", rule["ToPort"])
    for kind in ("Ingress", "Egress"):
        for rule in properties(f"AWS::EC2::SecurityGroup{kind}"):
            assert (rule["IpProtocol"], rule["FromPort"]) == ("tcp", rule["ToPort"])


def test_callers_and_providers_may_have_ipv6_addresses(
    stack: cdk.Stack, vpc: ec2.IVpc, properties: Properties
) -> None:
    security_groups(stack, vpc, has_ipv6=True, callers="2001:db8::/32")
    groups = {group["GroupDescription"]: group for group in properties("AWS::EC2::SecurityGroup")}
    callers = groups["Callers to the load balancer"]["SecurityGroupIngress"]
    assert sorted((rule["CidrIpv6"], rule["FromPort"]) for rule in callers) == [
        ("2001:db8::/32", 80),
        ("2001:db8::/32", 443),
    ]
    outward = groups["Tasks of the gateway"]["SecurityGroupEgress"]
    assert [rule.get("CidrIp") or rule["CidrIpv6"] for rule in outward] == ["0.0.0.0/0", "::/0"]


def test_a_load_balancer_that_signs_people_in_reaches_who_issues_tokens(
    stack: cdk.Stack, vpc: ec2.IVpc, properties: Properties
) -> None:
    security_groups(stack, vpc, has_ipv6=True, asks_issuer=True)
    groups = {group["GroupDescription"]: group for group in properties("AWS::EC2::SecurityGroup")}
    (outward,) = groups["Callers to the load balancer"]["SecurityGroupEgress"]
    assert (outward["CidrIp"], outward["FromPort"], outward["ToPort"]) == ("0.0.0.0/0", 443, 443)
