"""Weaknesses that scans find in images."""

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct


class ImageFindings(Construct):
    """Tells `topic_arn` of critical weaknesses in the images of `repository_name`.

    ECR sends an event for each scan at a push, with the number of weaknesses by severity; where Amazon
    Inspector scans, it sends one for each weakness, also for those that become known later. `topic_key`
    encrypts the topic.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        repository_name: str,
        topic_arn: str,
        topic_key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id)
        self._repository_name = repository_name
        self._topic = sns.Topic.from_topic_arn(self, "Topic", topic_arn)
        # As a role, and not by the policies of topic and key, which cannot say which rule may publish.
        self._publisher = iam.Role(
            self,
            "Publisher",
            assumed_by=iam.ServicePrincipal(
                "events.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(self).account}},
            ),
        )
        # Not the key's own grant, which gives more actions than publishing takes.
        self._publisher.add_to_policy(
            iam.PolicyStatement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[topic_key.key_arn])
        )
        self._tell(
            "Scan",
            source="aws.ecr",
            detail_type="ECR Image Scan",
            detail={
                "repository-name": [repository_name],
                "finding-severity-counts": {"CRITICAL": [{"numeric": [">", 0]}]},
            },
            subject="$.detail.image-digest",
        )
        self._tell(
            "Finding",
            source="aws.inspector2",
            detail_type="Inspector2 Finding",
            detail={
                "severity": ["CRITICAL"],
                "status": ["ACTIVE"],
                "resources": {"details": {"awsEcrContainerImage": {"repositoryName": [repository_name]}}},
            },
            subject="$.detail.title",
        )

    def _tell(
        self, construct_id: str, *, source: str, detail_type: str, detail: Mapping[str, Any], subject: str
    ) -> None:
        text = f"Critical weakness in {self._repository_name}: {events.EventField.from_path(subject)}"
        events.Rule(
            self,
            construct_id,
            description=f"Critical weaknesses in images of {self._repository_name}",
            event_pattern=events.EventPattern(source=[source], detail_type=[detail_type], detail=detail),
            targets=[
                targets.SnsTopic(
                    self._topic, message=events.RuleTargetInput.from_text(text), role=self._publisher
                )
            ],
        )
