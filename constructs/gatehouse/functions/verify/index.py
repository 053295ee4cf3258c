"""A step of a recovery plan: this region serves everything.

Variables: DATABASE (the instance's name), TARGET_GROUPS (a JSON array of ARNs), MINIMUM (of gateways), SIGNS
(a JSON array of the gateways' metrics: `stat` is CloudWatch's MetricStat, `wanted` its value where all is
well, `otherwise` what is wrong else). The database takes writes, so many gateways answer the load balancer's
checks, and all of them can write. What they could not write before, they write by themselves.
"""

import datetime
import json
import os
from collections.abc import Sequence
from typing import Any

import boto3

from gatehouse.functions.patience import TIME_LIMITS
from gatehouse.functions.waiting import wait_until

# In which a database answers.
_SERVING = {"available", "backing-up", "configuring-enhanced-monitoring", "storage-optimization"}
# In which what a gateway says reaches CloudWatch: before, a minute may lack the one that cannot write.
_ON_ITS_WAY = datetime.timedelta(seconds=30)
# What is older tells nothing of now.
_LOOK_BACK = datetime.timedelta(minutes=3)


def on_event(_event: Any, context: Any) -> dict[str, str]:
    """Wait until the region serves. Raises NotYetError as long as it does not."""
    rds = boto3.client("rds", config=TIME_LIMITS)
    balancing = boto3.client("elbv2", config=TIME_LIMITS)
    cloudwatch = boto3.client("cloudwatch", config=TIME_LIMITS)
    database, minimum = os.environ["DATABASE"], int(os.environ["MINIMUM"])
    groups, signs = json.loads(os.environ["TARGET_GROUPS"]), json.loads(os.environ["SIGNS"])
    wait_until(
        lambda: _missing(rds, database) or _too_few(balancing, groups, minimum) or _unable(cloudwatch, signs),
        context,
    )
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


def _unable(cloudwatch: Any, signs: Sequence[Any]) -> str | None:
    """What is wrong by what the gateways said in the last whole minute that all have told of.

    Until the promotion they say that the database is read-only: a minute in which none does came after it.
    """
    if not signs:
        return None
    until = (datetime.datetime.now(datetime.UTC) - _ON_ITS_WAY).replace(second=0, microsecond=0)
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[
            {"Id": f"sign{number}", "MetricStat": sign["stat"]} for number, sign in enumerate(signs)
        ],
        StartTime=until - _LOOK_BACK,
        EndTime=until,
        ScanBy="TimestampDescending",
    )
    said = {series["Id"]: series["Values"] for series in answer["MetricDataResults"]}
    for number, sign in enumerate(signs):
        values = said.get(f"sign{number}")
        if not values:
            return f"no gateway says whether it can write ({sign['stat']['Metric']['MetricName']})"
        if values[0] != sign["wanted"]:
            return str(sign["otherwise"])
    return None
