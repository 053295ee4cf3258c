"""A step of a recovery plan: a multi-region access point leads to the bucket of this region alone.

Variables: ACCOUNT, ACCESS_POINT (its ARN), BUCKETS (a JSON object: the bucket of each region). Routes are
changed in any of five regions, so that one of them may be lost; requests follow within two minutes.
"""

import json
import os
from collections.abc import Callable
from typing import Any, TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from gatehouse.functions.patience import TIME_LIMITS
from gatehouse.functions.waiting import NotYetError

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/MrapFailover.html
ROUTING_REGIONS = ("us-east-1", "us-west-2", "ap-southeast-2", "ap-northeast-1", "eu-west-1")

_Result = TypeVar("_Result")


def on_event(_event: Any, _context: Any) -> dict[str, int]:
    """Set the routes; gives each region's share in percent. Raises NotYetError if no region takes them."""
    here, buckets = os.environ["AWS_REGION"], json.loads(os.environ["BUCKETS"])
    named = {"AccountId": os.environ["ACCOUNT"], "Mrap": os.environ["ACCESS_POINT"]}
    routes = [
        {"Bucket": bucket, "Region": region, "TrafficDialPercentage": 100 if region == here else 0}
        for region, bucket in buckets.items()
    ]

    def route(control: Any) -> dict[str, int]:
        control.submit_multi_region_access_point_routes(**named, RouteUpdates=routes)
        kept = control.get_multi_region_access_point_routes(**named)["Routes"]
        return {each["Region"]: each["TrafficDialPercentage"] for each in kept}

    # The lost region is another than this one: it comes last.
    return _anywhere(route, sorted(ROUTING_REGIONS, key=lambda region: (region != here, region in buckets)))


def _anywhere(call: Callable[[Any], _Result], regions: list[str]) -> _Result:
    """Call in one region after the other until one answers."""
    problems = []
    for region in regions:
        try:
            return call(boto3.client("s3control", region_name=region, config=TIME_LIMITS))
        except (BotoCoreError, ClientError) as error:
            problems.append(f"{region}: {error}")
            print(json.dumps({"refused": problems[-1]}))
    raise NotYetError("; ".join(problems))
