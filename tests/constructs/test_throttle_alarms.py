"""Alarms of the models in a region: what each watches, and when it goes off."""

from typing import Any

import aws_cdk as cdk
import pytest

from gatehouse.throttle_alarms import ThrottleAlarms
from gateway.catalog import BedrockDeployment
from tests.constructs.conftest import Properties

TOPIC = "arn:aws:sns:eu-central-1:111111111111:alarms"
APPLICATION_PROFILE = "arn:aws:bedrock:eu-central-1:111111111111:application-inference-profile/a1b2"
NOVA = "eu.amazon.nova-lite-v1:0"


def _deployment(name: str, tokens_per_minute: int | None = None, **others: Any) -> BedrockDeployment:
    fields = {"name": name, "provider": "bedrock", "region": "eu-central-1", "model_id": NOVA, **others}
    return BedrockDeployment.model_validate(fields | {"capacity": {"tokens_per_minute": tokens_per_minute}})


@pytest.fixture
def alarms(stack: cdk.Stack, properties: Properties) -> dict[tuple[str, str], dict[str, Any]]:
    """Alarms by what is called and the metric."""
    deployments = [
        _deployment("nova", 1000),
        _deployment("nova-under-another-name", 5000),
        _deployment("titan", model_id="amazon.titan-embed-text-v2:0"),
        _deployment("search", application_profile_arn=APPLICATION_PROFILE),
    ]
    ThrottleAlarms(stack, "Alarms", deployments=deployments, topic_arn=TOPIC)
    return {
        (alarm["Dimensions"][0]["Value"], alarm["MetricName"]): alarm
        for alarm in properties("AWS::CloudWatch::Alarm")
    }


def test_throttles_and_server_errors_are_watched_for_everything_that_is_called(
    alarms: dict[tuple[str, str], dict[str, Any]],
) -> None:
    for called in (NOVA, "amazon.titan-embed-text-v2:0", "a1b2"):
        assert (called, "InvocationThrottles") in alarms
        assert (called, "InvocationServerErrors") in alarms
    assert {alarm["Dimensions"][0]["Name"] for alarm in alarms.values()} == {"ModelId"}
    assert {alarm["Namespace"] for alarm in alarms.values()} == {"AWS/Bedrock"}


def test_a_throttle_now_and_then_is_no_alarm(alarms: dict[tuple[str, str], dict[str, Any]]) -> None:
    alarm = alarms[NOVA, "InvocationThrottles"]
    assert (alarm["Statistic"], alarm["Period"], alarm["Threshold"]) == ("Sum", 60, 1)
    assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (5, 5)


def test_a_few_failures_are_no_alarm(alarms: dict[tuple[str, str], dict[str, Any]]) -> None:
    alarm = alarms[NOVA, "InvocationServerErrors"]
    assert (alarm["Statistic"], alarm["Period"], alarm["Threshold"]) == ("Sum", 60, 5)
    assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (3, 5)


def test_four_fifths_of_the_quota_are_an_alarm_where_the_catalog_tells_the_quota(
    alarms: dict[tuple[str, str], dict[str, Any]],
) -> None:
    of_quota = {
        called: alarm for (called, metric), alarm in alarms.items() if metric == "EstimatedTPMQuotaUsage"
    }
    assert of_quota.keys() == {NOVA}
    assert of_quota[NOVA]["Threshold"] == 4000
    assert (of_quota[NOVA]["Statistic"], of_quota[NOVA]["Period"]) == ("Sum", 60)


def test_silence_is_no_alarm_and_the_topic_hears_of_beginning_and_end(
    alarms: dict[tuple[str, str], dict[str, Any]],
) -> None:
    for alarm in alarms.values():
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
