"""The configuration's rule on addresses counts as the VPC is really cut."""

from ipaddress import IPv4Network

from operations.assembly import Stack
from stacks.config.load import load_environment
from stacks.config.network import ADDRESSES_NOT_FOR_TASKS, SUBNET_PREFIX_BITS

RESERVED_BY_AWS = 5  # in every subnet


def test_subnets_are_as_large_as_the_rule_says(dev_stacks: dict[str, Stack]) -> None:
    block = load_environment("dev").network.cidr
    subnets = dev_stacks["Network"].of_type("AWS::EC2::Subnet")
    assert subnets
    for subnet in subnets:
        assert IPv4Network(subnet.properties["CidrBlock"]).prefixlen == block.prefixlen + SUBNET_PREFIX_BITS


def test_the_rule_keeps_addresses_for_every_endpoint(dev_stacks: dict[str, Stack]) -> None:
    endpoints = dev_stacks["Network"].of_type("AWS::EC2::VPCEndpoint")
    interfaces = [e for e in endpoints if e.properties["VpcEndpointType"] == "Interface"]
    assert interfaces
    assert len(interfaces) + RESERVED_BY_AWS <= ADDRESSES_NOT_FOR_TASKS
