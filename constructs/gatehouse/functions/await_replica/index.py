"""A step of a recovery plan: the replica of a database has all that was written before the step.

Variables: DATABASE (the instance's name, the same in both regions), SOURCE_REGION. Two metrics tell it, and
one of them suffices:

- `OldestReplicationSlotLag` of the source: no byte of its log is missing in the replica.
- `ReplicaLag` of the replica: the last transaction that it repeated is one from after the step's begin. While
  nobody writes, that is one of RDS's own, which come every five minutes.

It asks the region of the source, which is there in a recovery that may lose nothing; no other waits for this.
"""

import datetime
import os
from collections.abc import Mapping
from typing import Any

import boto3

from gatehouse.functions.patience import TIME_LIMITS
from gatehouse.functions.waiting import wait_until

PERIOD_SECONDS = 60
# Values that are older say nothing of the step; younger ones may take so long to arrive.
LOOK_BACK_SECONDS = 900


def on_event(_event: Any, context: Any) -> dict[str, str]:
    """Wait for the replica. Raises NotYetError while it is behind."""
    database, source_region = os.environ["DATABASE"], os.environ["SOURCE_REGION"]
    source = boto3.client("cloudwatch", region_name=source_region, config=TIME_LIMITS)
    replica = boto3.client("cloudwatch", config=TIME_LIMITS)
    began = datetime.datetime.now(datetime.UTC)
    wait_until(lambda: _behind(source, replica, database, began), context)
    return {"replica": "has everything"}


def _behind(source: Any, replica: Any, database: str, began: datetime.datetime) -> str | None:
    missing = _values(source, database, "OldestReplicationSlotLag")
    if any(moment >= began and size == 0 for moment, size in missing.items()):
        return None
    lags = _values(replica, database, "ReplicaLag")
    # Less than 0: nothing is replicated at all.
    if any(lag >= 0 and moment - datetime.timedelta(seconds=lag) >= began for moment, lag in lags.items()):
        return None
    return (
        f"log that {database} has not got (bytes): {_last(missing)}; seconds that it is behind: {_last(lags)}"
    )


def _values(cloudwatch: Any, database: str, metric: str) -> dict[datetime.datetime, float]:
    """The largest value of each minute that is known, by the minute's begin."""
    now = datetime.datetime.now(datetime.UTC)
    answer = cloudwatch.get_metric_statistics(
        Namespace="AWS/RDS",
        MetricName=metric,
        Dimensions=[{"Name": "DBInstanceIdentifier", "Value": database}],
        StartTime=now - datetime.timedelta(seconds=LOOK_BACK_SECONDS),
        EndTime=now,
        Period=PERIOD_SECONDS,
        Statistics=["Maximum"],
    )
    return {point["Timestamp"]: point["Maximum"] for point in answer["Datapoints"]}


def _last(values: Mapping[datetime.datetime, float]) -> str:
    return f"{values[max(values)]:.0f}" if values else "unknown"
