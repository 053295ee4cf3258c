"""Plans for two regions, as templates hold them."""

from collections.abc import Mapping
from typing import Any

PRIMARY, STANDBY = "us-east-1", "us-west-2"
ARN = "arn:aws:arc-region-switch::111111111111:plan/gatehouse-prod:a1b2c3"
APPROVER = "arn:aws:iam::111111111111:role/approver"
ROLES = {"AKIAAPPROVER": APPROVER, "AKIAOPERATOR": "arn:aws:iam::111111111111:role/operator"}


def step(name: str, kind: str, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A step of a plan, as in a template."""
    return {
        "Name": name,
        "ExecutionBlockType": kind,
        "ExecutionBlockConfiguration": configuration,
    }


def lambda_step(name: str, *, runs_in: str = "activatingRegion", **more: Any) -> dict[str, Any]:
    """A step that runs a function of its name."""
    lambdas = [
        {"Arn": f"arn:aws:lambda:{region}:111111111111:function:{name}"} for region in (PRIMARY, STANDBY)
    ]
    block = {"Lambdas": lambdas, "RegionToRun": runs_in, "RetryIntervalMinutes": 1}
    return step(name, "CustomActionLambda", {"CustomActionLambdaConfig": block | more})


def replica_step(name: str, *, after_a_recovery: bool) -> dict[str, Any]:
    """A step that promotes a replica, or makes another."""
    arns = {region: f"arn:aws:rds:{region}:111111111111:db:gateway" for region in (PRIMARY, STANDBY)}
    kind = "RdsCreateCrossRegionReplica" if after_a_recovery else "RdsPromoteReadReplica"
    member = "RdsCreateCrossRegionReadReplicaConfig" if after_a_recovery else f"{kind}Config"
    return step(name, kind, {member: {"DbInstanceArnMap": arns}})


def plan_with(*steps: Mapping[str, Any], after: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The properties of a plan that activates either region by these steps, and runs `after` afterwards."""
    workflows = [
        {"WorkflowTargetAction": "activate", "WorkflowTargetRegion": region, "Steps": list(steps)}
        for region in (PRIMARY, STANDBY)
    ]
    if after is not None:
        workflows.append({"WorkflowTargetAction": "postRecovery", "Steps": [after]})
    return {
        "Name": "gatehouse-prod",
        "Regions": [PRIMARY, STANDBY],
        "PrimaryRegion": PRIMARY,
        "RecoveryApproach": "activePassive",
        "ExecutionRole": "arn:aws:iam::111111111111:role/recovery",
        "Workflows": workflows,
        "Tags": {"project": "gatehouse"},
    }
