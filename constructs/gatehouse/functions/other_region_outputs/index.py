"""A custom resource of CloudFormation: what a stack in another region has told in its outputs.

Properties: StackName, Region, Outputs (a list of names). Its attributes are the values, by those names. They
are asked for when the resource is created and when its properties change, and never else: whatever the stack
that it belongs to is updated for, the other region may be gone.
"""

from collections.abc import Sequence
from typing import Any

import boto3

from gatehouse.functions import cloudformation
from gatehouse.functions.cloudformation import Event, Found
from gatehouse.functions.patience import TIME_LIMITS, patiently

# A role's policies take effect some seconds after CloudFormation has created them.
PERMISSION_SECONDS = 60.0
_TEMPORARY_ERRORS = {"AccessDenied", "InternalFailure", "ServiceUnavailable", "Throttling"}


class MissingOutputError(Exception):
    """The stack does not tell all that is asked."""


@cloudformation.answered
def on_event(event: Event, _context: Any) -> Found:
    """Look the outputs up, unless nobody asks for them any more."""
    if event["RequestType"] == "Delete":
        return Found("there is nothing to remove")
    properties = event["ResourceProperties"]
    client = boto3.client("cloudformation", region_name=properties["Region"], config=TIME_LIMITS)
    found = outputs(client, properties["StackName"], properties["Outputs"])
    return Found(f"{properties['StackName']} in {properties['Region']} was asked", found)


def outputs(client: Any, stack_name: str, wanted: Sequence[str]) -> dict[str, str]:
    """The values of a stack's outputs; raises MissingOutputError if one is not there."""
    told = patiently(
        lambda: client.describe_stacks(StackName=stack_name), _TEMPORARY_ERRORS, PERMISSION_SECONDS
    )
    (stack,) = told["Stacks"]
    values = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}
    missing = sorted(set(wanted) - values.keys())
    if missing:
        raise MissingOutputError(
            f"{stack_name} has no output {', '.join(missing)}: deploy it first, as it is in this version"
        )
    return {name: values[name] for name in wanted}
