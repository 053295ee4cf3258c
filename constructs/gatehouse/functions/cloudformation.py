"""Requests that CloudFormation makes to the function of a custom resource, and the answers that it waits for.

It takes none for an hour's silence: every way out of a function gives one.
"""

import functools
import http.client
import json
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from gatehouse.functions.patience import TIME_LIMITS

# What CloudFormation takes, in bytes.
LONGEST_ANSWER = 4096
# Kept back from the function's own time for what it has to end, and for giving the answer.
RESERVED_SECONDS = 30.0

Event = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """An answer with attributes, which the template reads by their names."""

    reason: str
    attributes: Mapping[str, str] = field(default_factory=dict)


def answered(handler: Callable[[Event, Any], str | Found]) -> Callable[[Event, Any], None]:
    """A handler of events and contexts whose result, or exception, is the answer and the reason in it.

    It raises nothing itself: Lambda would only try again, and CloudFormation wait.
    """

    @functools.wraps(handler)
    def on_event(event: Event, context: Any) -> None:
        try:
            status, result = "SUCCESS", handler(event, context)
        except Exception as error:  # noqa: BLE001 (an exception that leaves here is an hour of waiting)
            status, result = "FAILED", f"{type(error).__name__}: {error}"
        found = Found(result) if isinstance(result, str) else result
        print(json.dumps({"request": event["RequestType"], "status": status, "reason": found.reason}))
        answer(event, status, found)

    return on_event


def deadline(context: Any) -> float:
    """The monotonic time at which a function has to come to its end, from what Lambda hands over."""
    seconds: float = context.get_remaining_time_in_millis() / 1000
    return monotonic() + seconds - RESERVED_SECONDS


def is_taken_back(event: Event) -> bool:
    """Whether CloudFormation is rolling an update of the stack back; false if it does not tell.

    The function needs `cloudformation:DescribeStacks` of its own stack.
    """
    if event["RequestType"] != "Update":
        return False
    try:
        client = boto3.client("cloudformation", config=TIME_LIMITS)
        (stack,) = client.describe_stacks(StackName=event["StackId"])["Stacks"]
    except (BotoCoreError, ClientError) as error:
        print(json.dumps({"stack": event["StackId"], "error": str(error)}))
        return False
    return str(stack["StackStatus"]).startswith("UPDATE_ROLLBACK")


def answer(event: Event, status: str, found: Found) -> None:
    """Give CloudFormation its answer, at the address that it signed for this request.

    A reason that does not fit loses its end.
    """
    request = urllib.request.Request(  # noqa: S310 (CloudFormation's own address)
        event["ResponseURL"], data=_body(event, status, found), method="PUT", headers={"Content-Type": ""}
    )
    for attempt in range(3):
        try:
            with urllib.request.urlopen(request, timeout=5):  # noqa: S310 (the same)
                return
        except (OSError, http.client.HTTPException) as error:
            print(json.dumps({"answer_attempt": attempt + 1, "error": str(error)}))
            sleep(1)


def _body(event: Event, status: str, found: Found) -> bytes:
    reason = found.reason
    fields = {
        "Status": status,
        "Reason": reason,
        "Data": found.attributes,
        # Always the same, so that CloudFormation never removes an earlier one.
        "PhysicalResourceId": event.get("PhysicalResourceId", event["LogicalResourceId"]),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    body = json.dumps(fields).encode()
    while reason and len(body) > LONGEST_ANSWER:
        reason = reason[: len(reason) * 9 // 10]
        body = json.dumps(fields | {"Reason": reason}).encode()
    return body
