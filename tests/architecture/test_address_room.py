"""The configuration's rule on addresses counts as the VPC is really cut and filled."""

from ipaddress import IPv4Network

import aws_cdk as cdk
import pytest

from gatehouse.endpoint_policies import interface_endpoints
from gateway.catalog import Catalog
from operations.assembly import Stack
from stacks.config.load import load_environment
from stacks.config.network import ADDRESSES_NOT_FOR_PODS, ADDRESSES_NOT_FOR_TASKS, SUBNET_PREFIX_BITS

RESERVED_BY_AWS = 5  # in every subnet
OF_A_LOAD_BALANCER = 8  # free, in each of its subnets
OF_A_CLUSTER = 16  # what EKS recommends for its control plane
OF_ADD_ONS = 8  # two nodes, and what runs on each of them
REGION = "us-east-1"


def test_subnets_are_as_large_as_the_rule_says(production_stacks: dict[str, Stack]) -> None:
    block = load_environment("prod").network.cidr
    subnets = production_stacks["Network"].of_type("AWS::EC2::Subnet")
    assert subnets
    for subnet in subnets:
        assert IPv4Network(subnet.properties["CidrBlock"]).prefixlen == block.prefixlen + SUBNET_PREFIX_BITS


@pytest.mark.parametrize(
    ("for_pods", "others", "kept"),
    [(False, 0, ADDRESSES_NOT_FOR_TASKS), (True, OF_A_CLUSTER + OF_ADD_ONS, ADDRESSES_NOT_FOR_PODS)],
)
def test_the_rule_keeps_addresses_for_every_endpoint_and_an_internal_load_balancer(
    for_pods: bool, others: int, kept: int
) -> None:
    stack = cdk.Stack(env=cdk.Environment(account="111111111111", region=REGION))
    sagemaker = {"name": "own", "provider": "sagemaker", "region": REGION, "endpoint_name": "own"}
    catalog = Catalog.model_validate({"models": [{"name": "own", "deployments": [sagemaker]}]})
    endpoints = [endpoint.construct_id for endpoint in interface_endpoints(stack, catalog, for_pods=for_pods)]
    assert "SageMakerRuntime" in endpoints
    assert len(endpoints) + RESERVED_BY_AWS + OF_A_LOAD_BALANCER + others <= kept
