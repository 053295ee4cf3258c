"""A VPC of somebody else's: used by its IDs, not looked up, not changed."""

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Annotations, Match, Template

from gatehouse.existing_vpc import ExistingVpc
from gatehouse.network import Network
from tests.constructs.conftest import REGION


@pytest.fixture
def network(stack: cdk.Stack) -> Network:
    return ExistingVpc(
        stack,
        "Network",
        vpc_id="vpc-0a",
        availability_zones=[f"{REGION}b", f"{REGION}c"],
        public_subnet_ids=["subnet-public-b", "subnet-public-c"],
        service_subnet_ids=["subnet-service-b", "subnet-service-c"],
        data_subnet_ids=["subnet-data-b", "subnet-data-c"],
        service_route_table_ids=["rtb-service", "rtb-service"],
        has_ipv6=True,
    ).network


def test_each_kind_of_subnets_is_found_by_its_name(network: Network) -> None:
    assert network.has_ipv6
    assert network.vpc.vpc_id == "vpc-0a"
    for kind, selection in (
        ("public", network.public_subnets),
        ("service", network.service_subnets),
        ("data", network.data_subnets),
    ):
        chosen = network.vpc.select_subnets(subnet_group_name=selection.subnet_group_name)
        assert chosen.subnet_ids == [f"subnet-{kind}-b", f"subnet-{kind}-c"]
        assert chosen.availability_zones == [f"{REGION}b", f"{REGION}c"]


def test_it_makes_nothing_and_warns_of_nothing(stack: cdk.Stack, network: Network) -> None:
    assert network.vpc.private_subnets[0].route_table.route_table_id == "rtb-service"
    assert "Resources" not in Template.from_stack(stack).to_json()
    Annotations.from_stack(stack).has_no_warning("*", Match.any_value())
