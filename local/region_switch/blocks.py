"""What a plan's execution blocks do on this machine."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Mode = Literal["graceful", "ungraceful"]

# The member of a step's configuration that each type of block reads.
MEMBERS: Mapping[str, str] = {
    "CustomActionLambda": "customActionLambdaConfig",
    "ECSServiceScaling": "ecsCapacityIncreaseConfig",
    "EKSResourceScaling": "eksResourceScalingConfig",
    "ManualApproval": "executionApprovalConfig",
    "Parallel": "parallelConfig",
    "RdsCreateCrossRegionReplica": "rdsCreateCrossRegionReadReplicaConfig",
    "RdsPromoteReadReplica": "rdsPromoteReadReplicaConfig",
    "Route53HealthCheck": "route53HealthCheckConfig",
}


class BlockError(Exception):
    """A block did not do what it is for; the message becomes the step's event."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """One run of one step's block.

    configuration: the one member of the step's configuration that its type uses, as in the API.
    activating, deactivating: the regions; after a recovery, the one that is active and the other. function:
    the ARN of the Lambda function that runs, for a block that runs one.
    """

    type: str
    configuration: Mapping[str, Any]
    step: str
    action: str
    activating: str
    deactivating: str
    mode: Mode
    function: str | None = None


# Does the block's work to its end. It may be run again after it failed: what is done stays done. Raises
# BlockError.
Executor = Callable[[Block], Awaitable[None]]


def is_skipped(configuration: Mapping[str, Any], mode: Mode) -> bool:
    """Whether a block's configuration leaves it out in that mode."""
    return mode == "ungraceful" and configuration.get("ungraceful", {}).get("behavior") == "skip"


def function_in(configuration: Mapping[str, Any], regions: Mapping[str, str]) -> str | None:
    """The ARN of the function that a block runs; `regions` are those that `regionToRun` may stand for."""
    if "regionToRun" not in configuration:
        return None
    region = regions[configuration["regionToRun"]]
    functions: list[str] = [each["arn"] for each in configuration["lambdas"]]
    return next(function for function in functions if region_of(function) == region)


def region_of(arn: str) -> str:
    """The region of an ARN."""
    return arn.split(":")[3]
