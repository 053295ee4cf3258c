"""Alarms of the database: few, and each says what to do."""

import math

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_rds as rds
from constructs import Construct

from gatehouse.alarms import notify

PERIOD = cdk.Duration.minutes(5)
BYTES_OF_GIB = 1024**3
# What RDS sets max_connections to, where a parameter group says nothing else.
BYTES_OF_A_CONNECTION = 9_531_392
MOST_CONNECTIONS = 5000
# PostgreSQL stops taking writes at two billion; autovacuum begins its work at 0.2 billion.
OLDEST_TRANSACTION = 1_000_000_000
# How a figure compares with a threshold when the alarm goes off.
Condition = tuple[cloudwatch.ComparisonOperator, float]


class DatabaseAlarms(Construct):
    """Tells `topic_arn` of an RDS for PostgreSQL instance that is about to be too small or is ill.

    `memory_gib` is the memory of its instance class, `storage_gib` the storage it began with.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        instance: rds.IDatabaseInstance,
        memory_gib: float,
        storage_gib: int,
        topic_arn: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._instance = instance
        self._topic_arn = topic_arn
        memory_bytes = memory_gib * BYTES_OF_GIB
        connections = min(memory_bytes // BYTES_OF_A_CONNECTION, MOST_CONNECTIONS)
        self._alarm(
            "Cpu",
            instance.metric_cpu_utilization(period=PERIOD),
            _above(80),
            description="The database's processors have been over 80 % for 15 minutes. Look for slow "
            "statements in Database Insights, then raise database.instance_class.",
        )
        self._alarm(
            "Connections",
            instance.metric_database_connections(period=PERIOD, statistic="Maximum"),
            _above(math.floor(connections * 0.8)),
            description="More than 80 % of the database's connections are taken; beyond them the gateway "
            "cannot record usage. Compare service.maximum_tasks with database.instance_class.",
        )
        self._alarm(
            "Memory",
            instance.metric_freeable_memory(period=PERIOD),
            _below(math.floor(memory_bytes * 0.05)),
            description="Less than 5 % of the database's memory is free: it is about to swap. Look at the "
            "number of connections, then raise database.instance_class.",
        )
        self._alarm(
            "Storage",
            # RDS grows the storage when a tenth is free for five minutes, but only every six hours.
            instance.metric_free_storage_space(period=PERIOD, statistic="Minimum"),
            _below(storage_gib * BYTES_OF_GIB // 20),
            description="The database's storage is nearly full and does not grow: it has reached "
            "database.storage_limit_gib, or grew less than six hours ago. Raise the limit before it is full.",
        )
        self._alarm(
            "OldestTransaction",
            instance.metric("MaximumUsedTransactionIDs", period=PERIOD, statistic="Maximum"),
            _above(OLDEST_TRANSACTION),
            description="Vacuuming does not keep up; at 2 billion transactions the database stops taking "
            "writes. End old transactions and prepared ones, and look at autovacuum.",
        )

    def _alarm(self, name: str, metric: cloudwatch.Metric, condition: Condition, *, description: str) -> None:
        comparison, threshold = condition
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_description=description,
            metric=metric,
            comparison_operator=comparison,
            threshold=threshold,
            evaluation_periods=3,
            # RDS sends nothing while the instance restarts.
            treat_missing_data=cloudwatch.TreatMissingData.MISSING,
        )
        notify(alarm, self._topic_arn)


class ReplicaAlarm(Construct):
    """Tells `topic_arn` when a replica lags behind its source by more than `recovery_point`.

    Its lag is the age of the last change that it has: gateways make one every few seconds. `is_replica` says
    whether the instance is one until a failover; then it tells of an instance that is none, too.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        replica: rds.IDatabaseInstance,
        recovery_point: cdk.Duration,
        topic_arn: str,
        is_replica: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        missing = cloudwatch.TreatMissingData
        seconds = recovery_point.to_seconds()
        alarm = cloudwatch.Alarm(
            self,
            "Lag",
            alarm_description=f"The database's replica has been more than {seconds} seconds behind for three "
            "minutes, or does not follow: if the other region is lost now, more is lost than "
            "standby.recovery_point_seconds allows. Look at the alarms of the other region's database. In "
            "the standby's region it goes off with a failover, too, until that has the replica again.",
            metric=replica.metric("ReplicaLag", period=cdk.Duration.minutes(1), statistic="Maximum"),
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            threshold=seconds,
            evaluation_periods=3,
            treat_missing_data=missing.BREACHING if is_replica else missing.NOT_BREACHING,
        )
        notify(alarm, topic_arn)


class ReplicationSlotAlarm(Construct):
    """Tells `topic_arn` when what a replica has not fetched fills half of the `limit_mib` kept for it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        source: rds.IDatabaseInstance,
        limit_mib: int,
        topic_arn: str,
    ) -> None:
        super().__init__(scope, construct_id)
        alarm = cloudwatch.Alarm(
            self,
            "Backlog",
            alarm_description="The database's replica in the other region does not fetch what is written "
            "here: half of what is kept for it is full. When all of it is, the replica has to be made anew. "
            "Look at that instance's state, its storage and its alarms.",
            metric=source.metric("OldestReplicationSlotLag", period=PERIOD, statistic="Maximum"),
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            threshold=limit_mib * BYTES_OF_GIB // 1024 // 2,
            evaluation_periods=1,
            # There is none while there is no replica.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        notify(alarm, topic_arn)


def _above(threshold: float) -> Condition:
    return cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD, threshold


def _below(threshold: float) -> Condition:
    return cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD, threshold
