"""Alarms of the cache: few, and each says what to do."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from gatehouse.alarms import notify

PERIOD = cdk.Duration.minutes(5)
REPLICATION_LAG_SECONDS = 5


class CacheAlarms(Construct):
    """Tells `topic_arn` when the worst of a Valkey replication group's `nodes` is not well."""

    def __init__(self, scope: Construct, construct_id: str, *, nodes: Sequence[str], topic_arn: str) -> None:
        super().__init__(scope, construct_id)
        self._nodes = nodes
        self._topic_arn = topic_arn
        self._alarm(
            "Cpu",
            "EngineCPUUtilization",
            above=80,
            description="A cache node's engine has been over 80 % of its one processor for 15 minutes: each "
            "request waits for it. Look at the slow log, then raise cache.node_type.",
        )
        self._alarm(
            "Memory",
            "DatabaseMemoryUsagePercentage",
            above=80,
            description="The cache's memory is over 80 % full. When it is full, what was used least recently "
            "is dropped. Raise cache.node_type.",
        )
        self._alarm(
            "Evictions",
            "Evictions",
            above=0,
            statistic="Sum",
            description="The cache drops what has not expired: answers that were kept, and counters of "
            "callers who have not called for long. Raise cache.node_type.",
        )
        self._alarm(
            "SignIns",
            "AuthenticationFailures",
            above=0,
            statistic="Sum",
            description="Somebody in the network is refused by the cache. If it is the gateway, limits are "
            "enforced by each task alone: look for its log's event about the cache and at its task role.",
        )
        if len(nodes) > 1:
            self._alarm(
                "ReplicationLag",
                "ReplicationLag",
                above=REPLICATION_LAG_SECONDS,
                description="A replica is seconds behind: a failover to it would forget what was counted "
                "meanwhile. Look at the primary's processor and network.",
            )

    def _alarm(
        self, name: str, metric: str, *, above: float, description: str, statistic: str = "Maximum"
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_description=description,
            metric=self._worst(metric, statistic),
            threshold=above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=3,
            # ElastiCache sends nothing for a node that is being replaced.
            treat_missing_data=cloudwatch.TreatMissingData.MISSING,
        )
        notify(alarm, self._topic_arn)

    def _worst(self, metric: str, statistic: str) -> cloudwatch.IMetric:
        """ElastiCache knows figures of nodes only: one alarm looks at them all."""
        of_nodes: dict[str, cloudwatch.IMetric] = {
            f"node{number}": cloudwatch.Metric(
                namespace="AWS/ElastiCache",
                metric_name=metric,
                dimensions_map={"CacheClusterId": node},
                statistic=statistic,
                period=PERIOD,
            )
            for number, node in enumerate(self._nodes, start=1)
        }
        return cloudwatch.MathExpression(
            expression=f"MAX([{', '.join(of_nodes)}])",
            using_metrics=of_nodes,
            label=f"{metric} of the worst node",
            period=PERIOD,
        )
