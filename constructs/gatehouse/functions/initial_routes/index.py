"""A custom resource of CloudFormation: where a multi-region access point leads at first.

Properties: AccountId, AccessPoint (its ARN), Active, Passive (regions). S3 makes an access point that leads
to whichever bucket is nearest. The routes are set when this is created, or belongs to another access point;
after that they are the recovery's, and whatever is deployed leaves them as they are.
"""

from typing import Any

import boto3

from gatehouse.functions import cloudformation
from gatehouse.functions.cloudformation import Event
from gatehouse.functions.patience import TIME_LIMITS, patiently

# One of the five that change routes, and the one in which S3 makes access points.
CONTROL_REGION = "us-west-2"
# Until a new access point, and the permission to route it, are known everywhere.
PERMISSION_SECONDS = 120.0
_TEMPORARY_ERRORS = {"AccessDenied", "InternalError", "NoSuchMultiRegionAccessPoint", "SlowDown"}


@cloudformation.answered
def on_event(event: Event, _context: Any) -> str:
    """Set the routes of an access point that is new."""
    if event["RequestType"] == "Delete":
        return "the routes go with their access point"
    properties = event["ResourceProperties"]
    if event.get("OldResourceProperties", {}).get("AccessPoint") == properties["AccessPoint"]:
        return "the routes stay as they are"
    route(boto3.client("s3control", region_name=CONTROL_REGION, config=TIME_LIMITS), properties)
    return f"requests go to {properties['Active']}"


def route(control: Any, properties: Event) -> None:
    """Send everything to the active region."""
    shares = {properties["Active"]: 100, properties["Passive"]: 0}
    patiently(
        lambda: control.submit_multi_region_access_point_routes(
            AccountId=properties["AccountId"],
            Mrap=properties["AccessPoint"],
            RouteUpdates=[
                {"Region": region, "TrafficDialPercentage": share} for region, share in shares.items()
            ],
        ),
        _TEMPORARY_ERRORS,
        PERMISSION_SECONDS,
    )
