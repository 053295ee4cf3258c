"""Alarms that wake somebody: callers are not served, which undoes a bad deployment, too, or not counted."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from constructs import Construct

from gatehouse.alarms import notify
from gatehouse.collector import ledger_writable

# Of few requests a single failed one is a large share. Not a number of requests: where there are few, all
# of them may fail.
FEWEST_FAILED = 2
LARGEST_ERROR_PERCENT = 5.0
# A database fails over between zones within two, and a full spool holds about as many at full load.
MINUTES_UNWRITTEN = 5
_PERIOD = cdk.Duration.minutes(1)


def errors_alarm(
    scope: Construct,
    construct_id: str,
    *,
    load_balancer: elbv2.ApplicationLoadBalancer,
    canary_percent: int,
    topic_arn: str,
    alarm_name: str | None = None,
) -> cloudwatch.Alarm:
    """An alarm on the share of requests that are answered by 5xx, by tasks or for want of one.

    Measured at the load balancer: target groups change places with each deployment. It goes off when half
    of a canary's requests fail (`canary_percent` of all; 0 if there is none), at 5 % at the latest. It has a
    name of its own where another region has to know it.
    """
    metrics = load_balancer.metrics
    counts = {
        "requests": metrics.request_count(period=_PERIOD),
        "by_tasks": metrics.http_code_target(elbv2.HttpCodeTarget.TARGET_5XX_COUNT, period=_PERIOD),
        # A task dropped the connection, or there was none: only the former are among the requests too.
        "without_task": metrics.http_code_elb(elbv2.HttpCodeElb.ELB_5XX_COUNT, period=_PERIOD),
    }
    requests, by_tasks, without_task = (f"FILL({name}, 0)" for name in counts)
    failed = f"({by_tasks} + {without_task})"
    share = cloudwatch.MathExpression(
        label="Failed requests (%)",
        expression=f"IF({failed} >= {FEWEST_FAILED}, 100 * {failed} / ({requests} + {without_task}), 0)",
        using_metrics=counts,
        period=_PERIOD,
    )
    alarm = cloudwatch.Alarm(
        scope,
        construct_id,
        alarm_name=alarm_name,
        alarm_description="Callers get 5xx: see the gateway's log for the deployment or provider that fails.",
        metric=share,
        threshold=min(LARGEST_ERROR_PERCENT, canary_percent / 2 or LARGEST_ERROR_PERCENT),
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluation_periods=3,
        datapoints_to_alarm=2,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    notify(alarm, topic_arn)
    return alarm


def unhealthy_targets_alarm(
    scope: Construct,
    construct_id: str,
    *,
    groups: Sequence[elbv2.ApplicationTargetGroup],
    load_balancer: elbv2.ApplicationLoadBalancer,
    topic_arn: str,
) -> cloudwatch.Alarm:
    """An alarm on tasks that say for minutes that they are not ready, in whichever group they are."""
    counts = {f"group_{index}": _unhealthy(group, load_balancer) for index, group in enumerate(groups)}
    alarm = cloudwatch.Alarm(
        scope,
        construct_id,
        alarm_description="Tasks of the gateway are not ready: see their log and /health/ready.",
        metric=cloudwatch.MathExpression(
            label="Tasks that are not ready",
            expression=" + ".join(f"FILL({name}, 0)" for name in counts),
            using_metrics=counts,
            period=_PERIOD,
        ),
        threshold=1,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluation_periods=3,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    notify(alarm, topic_arn)
    return alarm


def unwritten_usage_alarm(
    scope: Construct, construct_id: str, *, environment: str, topic_arn: str
) -> cloudwatch.Alarm:
    """An alarm on gateways that cannot write usage, in whatever role their region is.

    Where the database is a replica as it should be, nobody calls, and so nothing waits to be written.
    """
    alarm = cloudwatch.Alarm(
        scope,
        construct_id,
        alarm_description=f"For {MINUTES_UNWRITTEN} minutes usage has waited in a gateway that cannot write "
        "it; what does not fit there goes to the log, to be imported. If gatehouse_database_read_only is 1, "
        "the database is a replica: callers are in the region that stands by, so fail over to it or bring "
        "them back (gatehouse status). Otherwise look at the database's state and alarms.",
        metric=ledger_writable(environment),
        threshold=1,
        comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        evaluation_periods=MINUTES_UNWRITTEN,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    notify(alarm, topic_arn)
    return alarm


def _unhealthy(
    group: elbv2.ApplicationTargetGroup, load_balancer: elbv2.ApplicationLoadBalancer
) -> cloudwatch.Metric:
    # Not the target group's own metric, which would cut the load balancer's name out of the listener's ARN.
    return cloudwatch.Metric(
        namespace="AWS/ApplicationELB",
        metric_name="UnHealthyHostCount",
        dimensions_map={
            "LoadBalancer": load_balancer.load_balancer_full_name,
            "TargetGroup": group.target_group_full_name,
        },
        statistic=cloudwatch.Stats.MAXIMUM,
        period=_PERIOD,
    )
