"""A custom resource of CloudFormation: the health checks that Region switch has made for a plan's record.

Properties: Plan (its ARN), HostedZoneId, RecordName, Regions (a list). Attributes: the ID of each region's
health check, by the region without its hyphens. Region switch makes them after the plan: creating and
updating this waits until all are there.
"""

import json
from time import monotonic, sleep
from typing import Any

import boto3

from gatehouse.functions import cloudformation
from gatehouse.functions.cloudformation import Event, Found
from gatehouse.functions.patience import TIME_LIMITS, patiently
from gatehouse.functions.plan_health_checks.attributes import attribute

POLL_SECONDS = 10.0
PERMISSION_SECONDS = 60.0


class MissingError(Exception):
    """Regions have no health check yet; the message names them."""


@cloudformation.answered
def on_event(event: Event, context: Any) -> Found:
    """Find the health checks, unless they are no longer wanted."""
    if event["RequestType"] == "Delete":
        return Found("nothing is left to remove: they go with the plan")
    client = boto3.client("arc-region-switch", config=TIME_LIMITS)
    deadline = cloudformation.deadline(context)
    properties = event["ResourceProperties"]
    while True:
        found = _health_checks(client, properties)
        missing = sorted(set(properties["Regions"]) - found.keys())
        if not missing:
            return Found("every region has one", {attribute(region): found[region] for region in found})
        if monotonic() + POLL_SECONDS > deadline:
            raise MissingError(f"no health check yet: {', '.join(missing)}")
        print(json.dumps({"waits_for": missing}))
        sleep(POLL_SECONDS)


def _health_checks(client: Any, properties: dict[str, Any]) -> dict[str, str]:
    pages = client.get_paginator("list_route53_health_checks_in_region").paginate(
        arn=properties["Plan"],
        hostedZoneId=properties["HostedZoneId"],
        recordName=properties["RecordName"],
    )
    listed = patiently(lambda: list(pages), {"AccessDeniedException"}, PERMISSION_SECONDS)
    checks = [check for page in listed for check in page["healthChecks"]]
    return {check["region"]: check["healthCheckId"] for check in checks if check.get("healthCheckId")}
