"""What a construct is built with, for fixtures that build it once for a whole file."""

import json
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Template

from tests.constructs.conftest import ACCOUNT, REGION, ROOT


def new_stack() -> cdk.Stack:
    """An empty stack with the app's feature flags."""
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = cdk.App(context=context, builtin_cloud_formation_validation=False, analytics_reporting=False)
    return cdk.Stack(app, "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))


def imported_vpc(stack: cdk.Stack) -> ec2.IVpc:
    """A VPC with public and service subnets in two zones."""
    return ec2.Vpc.from_vpc_attributes(
        stack,
        "ImportedVpc",
        vpc_id="vpc-1",
        availability_zones=["eu-central-1a", "eu-central-1b"],
        public_subnet_ids=["subnet-public-a", "subnet-public-b"],
        public_subnet_names=["public"],
        private_subnet_ids=["subnet-service-a", "subnet-service-b"],
        private_subnet_names=["service"],
    )


def only(template: Template, resource_type: str) -> dict[str, Any]:
    """The properties of a template's only resource of a type (`S3::Bucket`)."""
    (resource,) = template.find_resources(f"AWS::{resource_type}").values()
    properties: dict[str, Any] = resource["Properties"]
    return properties
