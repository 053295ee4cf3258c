"""Alarms and whom they tell."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct


def topic_arn(scope: Construct, name: str) -> str:
    """The ARN of the topic `name` in the account and region of `scope`.

    Computed, so that a stack with alarms does not depend on the one with the topic.
    """
    return cdk.Stack.of(scope).format_arn(service="sns", resource=name)


def notify(alarm: cloudwatch.AlarmBase, topic_arn: str) -> None:
    """Tell the topic's subscribers when `alarm` goes off and when it is over."""
    action = actions.SnsAction(sns.Topic.from_topic_arn(alarm, "Topic", topic_arn))
    alarm.add_alarm_action(action)
    alarm.add_ok_action(action)
