"""Alarms of the models of one region: refused for a quota, close to it, or failing."""

from collections.abc import Iterable

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from gatehouse.alarms import notify
from gateway.catalog import BedrockDeployment

_MINUTE = cdk.Duration.minutes(1)
_WARNED_AT = 0.8
_SERVER_ERRORS_PER_MINUTE = 5


class ThrottleAlarms(Construct):
    """For each model or inference profile that is called: alarms on throttles, server errors and its quota.

    Bedrock counts by what a call names, so that an application inference profile has alarms of its own. The
    quota is what the deployments' `capacity` says; without tokens_per_minute there is no alarm on it.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, deployments: Iterable[BedrockDeployment], topic_arn: str
    ) -> None:
        super().__init__(scope, construct_id)
        self._topic_arn = topic_arn
        quotas: dict[str, int | None] = {}
        for deployment in deployments:
            # The same model under several names shares the account's quota: the largest says what that is.
            known = quotas.get(_metric_id(deployment)) or 0
            quotas[_metric_id(deployment)] = max(known, deployment.capacity.tokens_per_minute or 0) or None
        for model_id, quota in sorted(quotas.items()):
            self._alarms(model_id, quota)

    def _alarms(self, model_id: str, tokens_per_minute: int | None) -> None:
        # A throttle now and then is what routing is for; minutes without a pause are too small a quota.
        self._alarm(
            model_id,
            "Throttled",
            "InvocationThrottles",
            threshold=1,
            minutes=5,
            of_minutes=5,
            description=f"{model_id} is throttled without a pause: ask for more quota or add an account",
        )
        self._alarm(
            model_id,
            "ServerErrors",
            "InvocationServerErrors",
            threshold=_SERVER_ERRORS_PER_MINUTE,
            minutes=3,
            of_minutes=5,
            description=f"{model_id} fails on Bedrock's side: see the AWS Health Dashboard",
        )
        if tokens_per_minute is not None:
            self._alarm(
                model_id,
                "NearQuota",
                "EstimatedTPMQuotaUsage",
                threshold=round(_WARNED_AT * tokens_per_minute),
                minutes=3,
                of_minutes=5,
                description=f"{model_id} uses {_WARNED_AT:.0%} of its {tokens_per_minute} tokens a minute",
            )

    def _alarm(
        self,
        model_id: str,
        construct_id: str,
        metric_name: str,
        *,
        threshold: float,
        minutes: int,
        of_minutes: int,
        description: str,
    ) -> None:
        metric = cloudwatch.Metric(
            namespace="AWS/Bedrock",
            metric_name=metric_name,
            dimensions_map={"ModelId": model_id},
            statistic=cloudwatch.Stats.SUM,
            period=_MINUTE,
        )
        alarm = metric.create_alarm(
            self,
            f"{model_id}:{construct_id}",
            alarm_description=description,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            datapoints_to_alarm=minutes,
            evaluation_periods=of_minutes,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        notify(alarm, self._topic_arn)


def _metric_id(deployment: BedrockDeployment) -> str:
    """What Bedrock's metrics call a deployment: the ID in its call, of an ARN the part behind the slash."""
    return deployment.called_id.rpartition("/")[2]
