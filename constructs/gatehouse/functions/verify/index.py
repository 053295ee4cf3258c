"""A step of a recovery plan: this region serves everything.

Variables: DATABASE (the instance's name), TARGET_GROUPS (a JSON array of ARNs), MINIMUM (of gateways). The
database takes writes, and so many gateways answer the load balancer's checks. What they could not write
before, they write by themselves.
"""

import json
import os
from typing import Any

import boto3

from gatehouse.functions.patience import TIME_LIMITS
from gatehouse.functions.waiting import wait_until

# In which a database answers.
_SERVING = {"available", "backing-up", "configuring-enhanced-monitoring", "storage-optimization"}


def on_event(_event: Any, context: Any) -> dict[str, str]:
    """Wait until the region serves. Raises NotYetError as long as it does not."""
    rds = boto3.client("rds", config=TIME_LIMITS)
    balancing = boto3.client("elbv2", config=TIME_LIMITS)
    database, minimum = os.environ["DATABASE"], int(os.environ["MINIMUM"])
    groups = json.loads(os.environ["TARGET_GROUPS"])
    wait_until(lambda: _missing(rds, database) or _too_few(balancing, groups, minimum), context)
    return {"region": os.environ["AWS_REGION"], "serves": "everything"}


def _missing(rds: Any, database: str) -> str | None:
    (instance,) = rds.describe_db_instances(DBInstanceIdentifier=database)["DBInstances"]
    if source := instance.get("ReadReplicaSourceDBInstanceIdentifier"):
        return f"{database} is still a replica of {source}"
    status = instance["DBInstanceStatus"]
    return None if status in _SERVING else f"{database} is {status}"


def _too_few(balancing: Any, groups: list[str], minimum: int) -> str | None:
    healthy = 0
    for group in groups:
        targets = balancing.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        healthy += sum(target["TargetHealth"]["State"] == "healthy" for target in targets)
    return None if healthy >= minimum else f"gateways that answer: {healthy} of {minimum}"
