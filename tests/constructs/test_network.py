from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

from gatehouse.network import Network
from tests.constructs.conftest import REGION, Properties


def _network(stack: cdk.Stack, key: kms.IKey, zones: int, nat_gateways: int) -> None:
    names = [f"{REGION}{letter}" for letter in "abc"[:zones]]
    Network(
        stack,
        "Network",
        cidr="10.40.0.0/16",
        availability_zones=names,
        nat_gateways=nat_gateways,
        flow_log_key=key,
        flow_log_retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )


def _default_routes(properties: Properties) -> list[dict[str, Any]]:
    return [route for route in properties("AWS::EC2::Route") if route["DestinationCidrBlock"] == "0.0.0.0/0"]


@pytest.mark.parametrize("nat_gateways", [0, 1, 2])
def test_only_public_and_service_subnets_have_a_way_out(
    stack: cdk.Stack, properties: Properties, key: kms.IKey, nat_gateways: int
) -> None:
    _network(stack, key, zones=2, nat_gateways=nat_gateways)
    assert len(properties("AWS::EC2::NatGateway")) == nat_gateways
    routes = _default_routes(properties)
    assert sum("GatewayId" in route for route in routes) == 2
    through_nat = [str(route["RouteTableId"]) for route in routes if "NatGatewayId" in route]
    assert len(through_nat) == (2 if nat_gateways else 0)
    assert all("service" in table for table in through_nat)


@pytest.mark.parametrize("zones", [2, 3])
def test_a_third_zone_moves_no_subnet(
    stack: cdk.Stack, properties: Properties, key: kms.IKey, zones: int
) -> None:
    _network(stack, key, zones=zones, nat_gateways=0)
    # Three kinds of subnets, each with room for three zones, in sixteenths of the VPC.
    expected = {f"10.40.{(kind * 3 + zone) * 16}.0/20" for kind in range(3) for zone in range(zones)}
    assert {subnet["CidrBlock"] for subnet in properties("AWS::EC2::Subnet")} == expected


def test_no_subnet_gives_out_public_addresses(
    stack: cdk.Stack, properties: Properties, key: kms.IKey
) -> None:
    _network(stack, key, zones=2, nat_gateways=1)
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in properties("AWS::EC2::Subnet"))


def test_all_traffic_is_logged_encrypted(stack: cdk.Stack, properties: Properties, key: kms.IKey) -> None:
    _network(stack, key, zones=2, nat_gateways=1)
    (flow_log,) = properties("AWS::EC2::FlowLog")
    assert flow_log["TrafficType"] == "ALL"
    (log_group,) = properties("AWS::Logs::LogGroup")
    assert log_group["KmsKeyId"] == key.key_arn
    assert log_group["RetentionInDays"] == 30
