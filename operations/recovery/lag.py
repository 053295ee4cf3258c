"""How far the database's replica is behind."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gatehouse import names
from operations.recovery.places import Places
from operations.recovery.reach import Aws

# From before the loss of a region until somebody asks, however late.
_WINDOW = datetime.timedelta(hours=24)
_PERIOD_SECONDS = 60
# RDS measures each minute, and CloudWatch may take another one or two.
_FRESH = datetime.timedelta(minutes=5)
# A replica that follows replays what is written within a minute; what moved on by less than this stood still.
_STILL_SECONDS = 5.0
# Where nobody writes, RDS itself does every five minutes.
_IDLE_SECONDS = 360.0


@dataclass(frozen=True, kw_only=True)
class Lag:
    """How far a replica is behind, in seconds; moments in seconds since the epoch.

    seconds: as last measured, at `measured`. following_seconds: as measured while it still received
    something; once its source is lost, `seconds` grows with the clock, and this is what had not come over
    by then.
    """

    seconds: float
    measured: float
    following_seconds: float

    @property
    def replayed_until(self) -> float:
        """The moment up to which the replica has everything."""
        return self.measured - self.seconds

    @property
    def stands_still(self) -> bool:
        """Whether nothing has come over for so long that the source is lost, or replication is broken."""
        return self.seconds > _IDLE_SECONDS


def replica_lag(aws: Aws, places: Places, region: str) -> Lag | None:
    """The lag of a region's replica; None if its database is no replica now, or nobody measures it."""
    now = datetime.datetime.now(datetime.UTC)
    answer = aws.client("cloudwatch", region).get_metric_data(
        MetricDataQueries=[
            {
                "Id": "lag",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/RDS",
                        "MetricName": "ReplicaLag",
                        "Dimensions": [
                            {
                                "Name": "DBInstanceIdentifier",
                                "Value": names.database_instance(places.environment),
                            }
                        ],
                    },
                    "Period": _PERIOD_SECONDS,
                    "Stat": "Maximum",
                },
            }
        ],
        StartTime=now - _WINDOW,
        EndTime=now,
        ScanBy="TimestampAscending",
    )
    (series,) = answer["MetricDataResults"]
    # RDS writes -1 where replication has ended.
    points = [
        (moment.timestamp(), seconds)
        for moment, seconds in zip(series["Timestamps"], series["Values"], strict=True)
        if seconds >= 0
    ]
    is_fresh = bool(points) and points[-1][0] > (now - _FRESH).timestamp()
    return lag_of(points) if is_fresh else None


def lag_of(points: Sequence[tuple[float, float]]) -> Lag | None:
    """points: moments with the lag at each, the oldest first."""
    if not points:
        return None
    measured, seconds = points[-1]
    following = points[0][1]
    for (before, lag_before), (moment, lag) in pairwise(points):
        if (moment - lag) - (before - lag_before) > _STILL_SECONDS:
            following = lag
    return Lag(seconds=seconds, measured=measured, following_seconds=following)
