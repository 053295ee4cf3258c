"""Whom alarms tell, and what watches the service's callers."""

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template

from gatehouse.alarm_topic import AlarmTopic
from gatehouse.alarms import notify, topic_arn
from gatehouse.collector import METRICS
from gatehouse.service_alarms import errors_alarm, unhealthy_targets_alarm, unwritten_usage_alarm
from gatehouse.service_targets import ServiceTargets
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.parts import imported_vpc, new_stack, only

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/imported"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"


@pytest.fixture(scope="module")
def topic() -> Template:
    stack = new_stack()
    AlarmTopic(
        stack,
        "Alarms",
        topic_name="alarms",
        key=kms.Key.from_key_arn(stack, "Key", KEY),
        emails=["on-call@example.com", "platform@example.com"],
    )
    return Template.from_stack(stack)


def test_the_topic_is_encrypted_with_the_platform_s_key(topic: Template) -> None:
    properties = only(topic, "SNS::Topic")
    assert properties["KmsMasterKeyId"] == KEY
    assert properties["TopicName"] == "alarms"


def test_alarms_of_this_account_may_publish_and_nobody_without_tls(topic: Template) -> None:
    denied, allowed = only(topic, "SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    assert denied["Effect"] == "Deny"
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert allowed["Effect"] == "Allow"
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Action"] == "sns:Publish"
    assert allowed["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"},
    }


def test_each_address_is_told(topic: Template) -> None:
    subscriptions = topic.find_resources("AWS::SNS::Subscription").values()
    assert [(s["Properties"]["Protocol"], s["Properties"]["Endpoint"]) for s in subscriptions] == [
        ("email", "on-call@example.com"),
        ("email", "platform@example.com"),
    ]


def test_an_alarm_tells_when_it_begins_and_when_it_ends() -> None:
    stack = new_stack()
    alarm = cloudwatch.Alarm(
        stack,
        "Alarm",
        metric=cloudwatch.Metric(namespace="Space", metric_name="Name"),
        threshold=1,
        evaluation_periods=1,
    )
    notify(alarm, topic_arn(stack, "alarms"))
    properties = only(Template.from_stack(stack), "CloudWatch::Alarm")
    assert properties["AlarmActions"] == properties["OKActions"] == [TOPIC]


def _alarms(*, canary_percent: int) -> dict[str, dict[str, Any]]:
    """The service's alarms by construct ID."""
    stack = new_stack()
    vpc = imported_vpc(stack)
    load_balancer = elbv2.ApplicationLoadBalancer(
        stack,
        "Balancer",
        vpc=vpc,
        security_group=ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1", mutable=False),
    )
    targets = ServiceTargets(
        stack,
        "Targets",
        vpc=vpc,
        port=8080,
        ready_path="/ready",
        listener=load_balancer.add_listener(
            "Listener", port=80, open=False, default_action=elbv2.ListenerAction.fixed_response(404)
        ),
        canary=canary_percent > 0,
        drain=cdk.Duration.minutes(1),
    )
    errors_alarm(stack, "Errors", load_balancer=load_balancer, canary_percent=canary_percent, topic_arn=TOPIC)
    unhealthy_targets_alarm(
        stack, "NotReady", groups=targets.groups, load_balancer=load_balancer, topic_arn=TOPIC
    )
    unwritten_usage_alarm(stack, "UsageWaits", environment="prod", topic_arn=TOPIC)
    found = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm")
    return {logical_id[:-8]: resource["Properties"] for logical_id, resource in found.items()}


@pytest.fixture(scope="module")
def alarms() -> dict[str, dict[str, Any]]:
    return _alarms(canary_percent=10)


def _expression(alarm: dict[str, Any]) -> str:
    (expression,) = (metric["Expression"] for metric in alarm["Metrics"] if "Expression" in metric)
    return str(expression)


def _metrics(alarm: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {m["Id"]: m["MetricStat"] for m in alarm["Metrics"] if "MetricStat" in m}


def test_the_share_of_failed_requests_is_that_of_the_whole_load_balancer(
    alarms: dict[str, dict[str, Any]],
) -> None:
    metrics = _metrics(alarms["Errors"])
    assert {name: m["Metric"]["MetricName"] for name, m in metrics.items()} == {
        "requests": "RequestCount",
        "by_tasks": "HTTPCode_Target_5XX_Count",
        "without_task": "HTTPCode_ELB_5XX_Count",
    }
    for metric in metrics.values():
        # One group would be the idle one after every other deployment.
        assert [dimension["Name"] for dimension in metric["Metric"]["Dimensions"]] == ["LoadBalancer"]
        assert (metric["Stat"], metric["Period"]) == ("Sum", 60)


def test_one_failed_request_of_a_few_is_no_outage_but_all_of_them_are(
    alarms: dict[str, dict[str, Any]],
) -> None:
    total = "(FILL(requests, 0) + FILL(without_task, 0))"
    failed = "(FILL(by_tasks, 0) + FILL(without_task, 0))"
    assert _expression(alarms["Errors"]) == f"IF({failed} >= 2, 100 * {failed} / {total}, 0)"


@pytest.mark.parametrize(("canary_percent", "threshold"), [(0, 5), (1, 0.5), (4, 2), (10, 5), (50, 5)])
def test_a_canary_of_which_half_fails_goes_off(canary_percent: int, threshold: float) -> None:
    assert _alarms(canary_percent=canary_percent)["Errors"]["Threshold"] == threshold


def test_tasks_that_are_not_ready_count_in_both_groups(alarms: dict[str, dict[str, Any]]) -> None:
    metrics = _metrics(alarms["NotReady"])
    assert {m["Metric"]["MetricName"] for m in metrics.values()} == {"UnHealthyHostCount"}
    groups = [
        str(dimension["Value"])
        for metric in metrics.values()
        for dimension in metric["Metric"]["Dimensions"]
        if dimension["Name"] == "TargetGroup"
    ]
    assert len(groups) == len(set(groups)) == 2
    assert _expression(alarms["NotReady"]) == "FILL(group_0, 0) + FILL(group_1, 0)"
    assert alarms["NotReady"]["EvaluationPeriods"] == 3


def test_without_a_canary_there_is_one_group() -> None:
    assert _metrics(_alarms(canary_percent=0)["NotReady"]).keys() == {"group_0"}


def test_a_process_that_cannot_write_usage_is_heard_after_a_failover_between_zones(
    alarms: dict[str, dict[str, Any]],
) -> None:
    alarm = alarms["UsageWaits"]
    assert alarm["MetricName"] in METRICS[()]
    assert alarm["Dimensions"] == [{"Name": "environment", "Value": "prod"}]
    # One process of many is enough, and a minute in which all could write begins anew.
    assert (alarm["Statistic"], alarm["ComparisonOperator"]) == ("Minimum", "LessThanThreshold")
    assert (alarm["Threshold"], alarm["Period"], alarm["EvaluationPeriods"]) == (1, 60, 5)
    assert "DatapointsToAlarm" not in alarm


def test_silence_is_no_alarm_and_somebody_is_told(alarms: dict[str, dict[str, Any]]) -> None:
    assert alarms.keys() == {"Errors", "NotReady", "UsageWaits"}
    for alarm in alarms.values():
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
        assert alarm["AlarmDescription"]
