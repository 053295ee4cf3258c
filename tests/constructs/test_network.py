"""The VPC: named zones, three kinds of subnets, ways out as configured, all traffic logged."""

import json
from collections import Counter
from functools import cache
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from gatehouse.network import NewVpc
from tests.constructs.conftest import ACCOUNT, REGION, ROOT

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/imported"
Resources = dict[str, dict[str, Any]]


@cache
def _resources(
    *, zones: int = 2, public_subnets: bool = True, nat_gateways: int = 1, ipv6: bool = False
) -> Resources:
    """The resources of a VPC with these settings, by logical ID; synthesized once for all tests."""
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    context[f"availability-zones:account={ACCOUNT}:region={REGION}"] = [f"{REGION}{zone}" for zone in "abc"]
    app = cdk.App(context=context, builtin_cloud_formation_validation=False, analytics_reporting=False)
    stack = cdk.Stack(app, "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))
    NewVpc(
        stack,
        "Network",
        cidr="10.40.0.0/16",
        availability_zones=[f"{REGION}{letter}" for letter in "abc"[:zones]],
        public_subnets=public_subnets,
        nat_gateways=nat_gateways,
        ipv6=ipv6,
        log_key=kms.Key.from_key_arn(stack, "Key", KEY),
        log_retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    resources: Resources = Template.from_stack(stack).to_json()["Resources"]
    return resources


def _of_type(resources: Resources, resource_type: str) -> list[dict[str, Any]]:
    return [r.get("Properties", {}) for r in resources.values() if r["Type"] == resource_type]


def _default_routes(resources: Resources) -> set[tuple[str, str, str]]:
    """Of each route to everywhere: the kind of subnet it is for, its destination and what leads there."""
    routes = set()
    for route in _of_type(resources, "AWS::EC2::Route"):
        table = resources[route["RouteTableId"]["Ref"]]["Properties"]["Tags"]
        (name,) = [tag["Value"] for tag in table if tag["Key"] == "Name"]
        kind = name.rpartition("/")[2].removesuffix("Subnet1").removesuffix("Subnet2").removesuffix("Subnet3")
        destination = route.get("DestinationCidrBlock") or route["DestinationIpv6CidrBlock"]
        (way,) = route.keys() & {"GatewayId", "NatGatewayId", "EgressOnlyInternetGatewayId"}
        routes.add((kind, destination, way))
    return routes


@pytest.mark.parametrize("zones", [2, 3])
def test_each_zone_has_one_subnet_of_each_kind(zones: int) -> None:
    subnets = _of_type(_resources(zones=zones), "AWS::EC2::Subnet")
    kinds = {tag["Value"] for s in subnets for tag in s["Tags"] if tag["Key"] == "aws-cdk:subnet-name"}
    assert kinds == {"public", "service", "data"}
    placed = Counter(
        (subnet["AvailabilityZone"], tag["Value"])
        for subnet in subnets
        for tag in subnet["Tags"]
        if tag["Key"] == "aws-cdk:subnet-name"
    )
    assert placed == {(f"{REGION}{zone}", kind): 1 for zone in "abc"[:zones] for kind in kinds}


@pytest.mark.parametrize("zones", [2, 3])
def test_a_third_zone_moves_no_subnet(zones: int) -> None:
    # Three kinds of subnets, each with room for three zones, in sixteenths of the VPC.
    expected = {f"10.40.{(kind * 3 + zone) * 16}.0/20" for kind in range(3) for zone in range(zones)}
    subnets = _of_type(_resources(zones=zones), "AWS::EC2::Subnet")
    assert {subnet["CidrBlock"] for subnet in subnets} == expected


@pytest.mark.parametrize("nat_gateways", [1, 2])
def test_service_subnets_reach_out_through_nat_and_data_subnets_do_not(nat_gateways: int) -> None:
    resources = _resources(nat_gateways=nat_gateways)
    assert len(_of_type(resources, "AWS::EC2::NatGateway")) == nat_gateways
    assert _default_routes(resources) == {
        ("public", "0.0.0.0/0", "GatewayId"),
        ("service", "0.0.0.0/0", "NatGatewayId"),
    }


def test_each_zone_uses_a_nat_gateway_of_its_own_where_it_has_one() -> None:
    gateways = [
        route["NatGatewayId"]["Ref"]
        for route in _of_type(_resources(nat_gateways=2), "AWS::EC2::Route")
        if "NatGatewayId" in route
    ]
    assert len(gateways) == len(set(gateways)) == 2


@pytest.mark.parametrize("ipv6", [False, True])
def test_without_nat_only_the_load_balancer_s_subnets_have_a_way_out(ipv6: bool) -> None:
    resources = _resources(nat_gateways=0, ipv6=ipv6)
    assert _of_type(resources, "AWS::EC2::NatGateway") == []
    assert _of_type(resources, "AWS::EC2::EgressOnlyInternetGateway") == []
    assert {kind for kind, _, _ in _default_routes(resources)} == {"public"}


def test_without_public_subnets_there_is_no_internet_gateway_and_no_subnet_moves() -> None:
    isolated, open_ = _resources(public_subnets=False, nat_gateways=0), _resources(nat_gateways=0)
    assert _of_type(isolated, "AWS::EC2::InternetGateway") == []
    assert _of_type(isolated, "AWS::EC2::Route") == []
    blocks = {logical_id: r["Properties"]["CidrBlock"] for logical_id, r in isolated.items() if _is_subnet(r)}
    assert len(blocks) == 4
    assert blocks == {logical_id: open_[logical_id]["Properties"]["CidrBlock"] for logical_id in blocks}


def _is_subnet(resource: dict[str, Any]) -> bool:
    return bool(resource["Type"] == "AWS::EC2::Subnet")


def test_no_subnet_gives_out_public_addresses() -> None:
    for resources in (_resources(), _resources(ipv6=True)):
        assert not any(subnet["MapPublicIpOnLaunch"] for subnet in _of_type(resources, "AWS::EC2::Subnet"))


def test_ipv6_is_off_unless_asked_for() -> None:
    resources = _resources()
    assert _of_type(resources, "AWS::EC2::VPCCidrBlock") == []
    assert not any("Ipv6CidrBlock" in subnet for subnet in _of_type(resources, "AWS::EC2::Subnet"))


def test_with_ipv6_service_subnets_reach_out_and_nobody_in() -> None:
    resources = _resources(ipv6=True)
    (block,) = _of_type(resources, "AWS::EC2::VPCCidrBlock")
    assert block["AmazonProvidedIpv6CidrBlock"] is True
    assert all("Ipv6CidrBlock" in subnet for subnet in _of_type(resources, "AWS::EC2::Subnet"))
    assert {route for route in _default_routes(resources) if route[1] == "::/0"} == {
        ("public", "::/0", "GatewayId"),
        ("service", "::/0", "EgressOnlyInternetGatewayId"),
    }


def test_with_ipv6_tasks_alone_are_given_addresses() -> None:
    for subnet in _of_type(_resources(ipv6=True), "AWS::EC2::Subnet"):
        (kind,) = [tag["Value"] for tag in subnet["Tags"] if tag["Key"] == "aws-cdk:subnet-name"]
        assert subnet["AssignIpv6AddressOnCreation"] is (kind == "service")


def test_all_traffic_is_logged_encrypted_for_as_long_as_configured() -> None:
    resources = _resources()
    (flow_log,) = _of_type(resources, "AWS::EC2::FlowLog")
    assert flow_log["TrafficType"] == "ALL"
    log_group = resources[flow_log["LogGroupName"]["Ref"]]["Properties"]
    assert log_group["KmsKeyId"] == KEY
    assert log_group["RetentionInDays"] == 30


def test_flow_logs_of_this_account_alone_write_with_the_role() -> None:
    resources = _resources()
    (flow_log,) = _of_type(resources, "AWS::EC2::FlowLog")
    role = resources[flow_log["DeliverLogsPermissionArn"]["Fn::GetAtt"][0]]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc-flow-log/*"},
    }
