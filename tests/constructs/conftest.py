import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "111111111111"
REGION = "eu-central-1"

Properties = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def stack() -> cdk.Stack:
    """An empty stack with the app's feature flags; templates are validated by the tests of the stacks."""
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    # What the CDK would look up to compare a VPC's zones with.
    context[f"availability-zones:account={ACCOUNT}:region={REGION}"] = [f"{REGION}{zone}" for zone in "abc"]
    app = cdk.App(context=context, builtin_cloud_formation_validation=False, analytics_reporting=False)
    return cdk.Stack(app, "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))


@pytest.fixture
def properties(stack: cdk.Stack) -> Properties:
    """Synthesize the stack at the first call; give the properties of each resource of a type."""
    templates: list[Mapping[str, Any]] = []

    def of(resource_type: str) -> list[dict[str, Any]]:
        if not templates:
            templates.append(Template.from_stack(stack).to_json())
        resources: Iterable[dict[str, Any]] = templates[0]["Resources"].values()
        return [resource.get("Properties", {}) for resource in resources if resource["Type"] == resource_type]

    return of


@pytest.fixture
def key(stack: cdk.Stack) -> kms.IKey:
    return kms.Key.from_key_arn(stack, "ImportedKey", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/imported")


@pytest.fixture
def vpc(stack: cdk.Stack) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        stack,
        "ImportedVpc",
        vpc_id="vpc-1",
        availability_zones=["eu-central-1a", "eu-central-1b"],
        public_subnet_ids=["subnet-public-a", "subnet-public-b"],
        public_subnet_names=["public"],
        isolated_subnet_ids=["subnet-data-a", "subnet-data-b"],
        isolated_subnet_names=["data"],
        private_subnet_ids=["subnet-service-a", "subnet-service-b"],
        private_subnet_names=["service"],
        private_subnet_route_table_ids=["rtb-service-a", "rtb-service-b"],
    )


@pytest.fixture
def security_group(stack: cdk.Stack) -> ec2.ISecurityGroup:
    return ec2.SecurityGroup.from_security_group_id(stack, "ImportedGroup", "sg-1", mutable=False)
