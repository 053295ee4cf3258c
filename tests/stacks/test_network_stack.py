"""The Network stack's wiring: what each setting of the section network comes to."""

from collections import Counter
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template

from stacks.config.load import load_configuration
from stacks.config.model import Environment
from stacks.network import NetworkStack

EXISTING = {
    "vpc_id": "vpc-0123456789abcdef0",
    "public_subnet_ids": ["subnet-0000000a", "subnet-0000000b"],
    "service_subnet_ids": ["subnet-0000001a", "subnet-0000001b"],
    "data_subnet_ids": ["subnet-0000002a", "subnet-0000002b"],
    "service_route_table_ids": ["rtb-0000000a", "rtb-0000000a"],
}
OWN_VPC = {"availability_zones": ["us-east-1a", "us-east-1b"], "nat": "none", "existing": EXISTING}


def _template(**sections: dict[str, Any]) -> dict[str, Any]:
    """The stack of dev with other settings."""
    dev, catalog = load_configuration("dev")
    settings = dev.model_dump()
    settings["service"]["collector_image"] = None
    for name, section in sections.items():
        settings[name] = section if "existing" in section else settings[name] | section
    config = Environment.model_validate(settings)
    app = cdk.App(builtin_cloud_formation_validation=False, analytics_reporting=False)
    environment = cdk.Environment(account=config.account, region=config.region)
    key = kms.Key.from_key_arn(
        cdk.Stack(app, "Keys", env=environment),
        "Key",
        f"arn:aws:kms:{config.region}:{config.account}:key/logs",
    )
    stack = NetworkStack(
        cdk.Stage(app, "stage", env=environment), "Network", config=config, catalog=catalog, log_key=key
    )
    return dict(Template.from_stack(stack).to_json())


def _count(template: dict[str, Any]) -> Counter[str]:
    return Counter(resource["Type"] for resource in template["Resources"].values())


@pytest.mark.parametrize(("nat", "gateways"), [("one", 1), ("one-per-zone", 2)])
def test_there_are_as_many_nat_gateways_as_configured(nat: str, gateways: int) -> None:
    assert _count(_template(network={"nat": nat}))["AWS::EC2::NatGateway"] == gateways


def test_without_nat_and_callers_from_the_internet_there_is_no_way_in_or_out() -> None:
    template = _template(network={"nat": "none"}, edge={"scheme": "internal"})
    count = _count(template)
    assert count["AWS::EC2::VPC"] == 1
    assert count["AWS::EC2::InternetGateway"] == count["AWS::EC2::NatGateway"] == 0
    assert count["AWS::EC2::Route"] == 0


def test_without_nat_callers_from_the_internet_still_come_in() -> None:
    count = _count(_template(network={"nat": "none"}))
    assert count["AWS::EC2::InternetGateway"] == 1
    assert count["AWS::EC2::NatGateway"] == 0


@pytest.mark.parametrize(("endpoints", "made"), [("all", 12), ("s3", 1)])
def test_endpoints_are_made_as_configured(endpoints: str, made: int) -> None:
    assert _count(_template(network={"endpoints": endpoints}))["AWS::EC2::VPCEndpoint"] == made


def test_an_existing_vpc_gets_security_groups_and_endpoints_alone() -> None:
    template = _template(network=OWN_VPC)
    assert _count(template).keys() == {
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::VPCEndpoint",
    }
    for resource in template["Resources"].values():
        if resource["Type"] in {"AWS::EC2::SecurityGroup", "AWS::EC2::VPCEndpoint"}:
            assert resource["Properties"]["VpcId"] == EXISTING["vpc_id"]


def test_an_existing_vpc_that_has_endpoints_gets_security_groups_alone() -> None:
    count = _count(_template(network=OWN_VPC | {"endpoints": "none"}))
    assert count["AWS::EC2::SecurityGroup"] == 5
    assert count["AWS::EC2::VPCEndpoint"] == 0


@pytest.mark.parametrize(
    ("image", "port"),
    [
        ({}, 8080),
        (
            {"profile": "custom", "version": "1.0.0", "port": 9000, "health_path": "/health", "user": 1000},
            9000,
        ),
    ],
)
def test_the_load_balancer_reaches_tasks_at_the_image_s_port(image: dict[str, Any], port: int) -> None:
    uri = f"111111111111.dkr.ecr.us-east-1.amazonaws.com/gateway@sha256:{'0' * 64}"
    resources = _template(image=image | ({"uri": uri} if image else {}))["Resources"]
    (rule,) = [
        resource["Properties"]
        for resource in resources.values()
        if resource.get("Properties", {}).get("Description") == "From LoadBalancer"
    ]
    assert rule["FromPort"] == rule["ToPort"] == port
