"""What copies the objects of a bucket into a bucket of another region, and who hears of it if it does not."""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from gatehouse.alarms import notify
from gatehouse.findings import acknowledge

RULE = "to-the-other-region"
# The only one that S3 offers, and promises for 99.9 % of the objects.
TIME_CONTROL = cdk.Duration.minutes(15)
PERIOD = cdk.Duration.minutes(5)


@dataclass(frozen=True, kw_only=True)
class BucketPlace:
    """A bucket: its name, its region, and the ARN of the key that its objects are encrypted with."""

    name: str
    region: str
    key_arn: str

    @property
    def arn(self) -> str:
        """The bucket's ARN, which has no region."""
        return f"arn:aws:s3:::{self.name}"


@dataclass(frozen=True, kw_only=True)
class Replication:
    """Where a bucket's objects are copied to, and as whom."""

    destination: BucketPlace
    role: iam.IRole

    def rule(self, scope: Construct) -> s3.ReplicationRule:
        """Everything is copied: what is encrypted, what is deleted, and what is changed at a copy."""
        destination = self.destination
        return s3.ReplicationRule(
            id=RULE,
            priority=1,
            destination=s3.Bucket.from_bucket_attributes(
                scope, "Destination", bucket_arn=destination.arn, region=destination.region
            ),
            kms_key=kms.Key.from_key_arn(scope, "DestinationKey", destination.key_arn),
            sse_kms_encrypted_objects=True,
            delete_marker_replication=True,
            replica_modifications=True,
            replication_time_control=s3.ReplicationTimeValue.FIFTEEN_MINUTES,
            metrics=s3.ReplicationTimeValue.FIFTEEN_MINUTES,
        )


class ReplicationRole(Construct):
    """The role as which S3 copies from one bucket into another, and nothing else."""

    def __init__(
        self, scope: Construct, construct_id: str, *, source: BucketPlace, destination: BucketPlace
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = iam.Role(
            self,
            "Role",
            description="S3 copies the gateway's objects into the other region",
            assumed_by=iam.ServicePrincipal("s3.amazonaws.com"),
        )
        self._allow(["s3:GetReplicationConfiguration", "s3:ListBucket"], source.arn)
        self._allow(
            [
                "s3:GetObjectVersionForReplication",
                "s3:GetObjectVersionAcl",
                "s3:GetObjectVersionTagging",
            ],
            f"{source.arn}/*",
        )
        self._allow(["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], f"{destination.arn}/*")
        self._allow_key(["kms:Decrypt"], source)
        self._allow_key(["kms:Encrypt", "kms:GenerateDataKey"], destination)
        acknowledge(
            self.role,
            {
                f"IAM5[Resource::{bucket.arn}/*]": "It copies all objects of this one bucket."
                for bucket in (source, destination)
            },
        )

    def _allow(self, actions: list[str], resource: str) -> None:
        self.role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))

    def _allow_key(self, actions: list[str], bucket: BucketPlace) -> None:
        self.role.add_to_policy(
            iam.PolicyStatement(
                actions=actions,
                resources=[bucket.key_arn],
                conditions={
                    "StringEquals": {"kms:ViaService": f"s3.{bucket.region}.amazonaws.com"},
                    # The bucket's with an S3 Bucket Key, otherwise the object's.
                    "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket.arn, f"{bucket.arn}/*"]},
                },
            )
        )


class ReplicationAlarms(Construct):
    """Tells `topic_arn` when the copies of a bucket of this region come late or not at all."""

    def __init__(
        self, scope: Construct, construct_id: str, *, source: str, destination: str, topic_arn: str
    ) -> None:
        super().__init__(scope, construct_id)
        self._dimensions = {"SourceBucket": source, "DestinationBucket": destination, "RuleId": RULE}
        self._topic_arn = topic_arn
        self._alarm(
            "Late",
            "ReplicationLatency",
            "Maximum",
            TIME_CONTROL.to_seconds(),
            description="Objects have waited for more than 15 minutes to be copied into the other region: "
            "what it does not have is lost with this one. Look at AWS's health of both regions.",
        )
        self._alarm(
            "Failed",
            "OperationsFailedReplication",
            "Sum",
            0,
            description="S3 gave up copying objects into the other region. HeadObject tells FAILED of each; "
            "look at the replication's role and both keys, then copy them by S3 Batch Replication.",
        )

    def _alarm(self, name: str, metric: str, statistic: str, threshold: float, *, description: str) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_description=description,
            metric=cloudwatch.Metric(
                namespace="AWS/S3",
                metric_name=metric,
                dimensions_map=self._dimensions,
                statistic=statistic,
                period=PERIOD,
            ),
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            # Nothing is measured while there is nothing to copy.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        notify(alarm, self._topic_arn)
