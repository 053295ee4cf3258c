"""Alarms on what the audit trail records."""

from typing import NamedTuple

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.alarms import notify

NAMESPACE = "Gatehouse/Audit"


class _Watched(NamedTuple):
    name: str
    description: str
    pattern: str  # of CloudWatch Logs, over one record of CloudTrail


WATCHED = (
    _Watched(
        "TrailChanged",
        "Someone stopped, changed or deleted a trail: what follows may not be recorded.",
        '{ ($.eventSource = "cloudtrail.amazonaws.com") && (($.eventName = "StopLogging") || '
        '($.eventName = "DeleteTrail") || ($.eventName = "UpdateTrail") || '
        '($.eventName = "PutEventSelectors")) }',
    ),
    _Watched(
        "KeyDisabled",
        "Someone disabled a KMS key or scheduled its deletion: what it encrypts cannot be read without it.",
        '{ ($.eventSource = "kms.amazonaws.com") && (($.eventName = "DisableKey") || '
        '($.eventName = "ScheduleKeyDeletion")) }',
    ),
    _Watched(
        "RootUsed",
        "The account's root user did something: no policy limits it, so nothing should need it.",
        '{ ($.userIdentity.type = "Root") && ($.userIdentity.invokedBy NOT EXISTS) && '
        '($.eventType != "AwsServiceEvent") }',
    ),
)


class AuditAlarms(Construct):
    """Alarms on what no normal day has in the records that a trail writes into `log_group`."""

    def __init__(
        self, scope: Construct, construct_id: str, *, log_group: logs.ILogGroup, topic_arn: str
    ) -> None:
        super().__init__(scope, construct_id)
        for watched in WATCHED:
            count = logs.MetricFilter(
                self,
                f"{watched.name}Events",
                log_group=log_group,
                filter_pattern=logs.FilterPattern.literal(watched.pattern),
                metric_namespace=NAMESPACE,
                metric_name=watched.name,
            )
            alarm = cloudwatch.Alarm(
                self,
                watched.name,
                alarm_description=watched.description,
                metric=count.metric(statistic="Sum", period=cdk.Duration.minutes(5)),
                threshold=1,
                evaluation_periods=1,
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )
            notify(alarm, topic_arn)
