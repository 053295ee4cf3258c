"""The replication of the primary's bucket, which begins when there is a bucket to copy into."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.custom_resource_function import CustomResourceFunction
from gatehouse.object_replication import RULE, TIME_CONTROL, BucketPlace

TIME_LIMIT = cdk.Duration.minutes(6)


class PrimaryReplication(Construct):
    """Has S3 copy the bucket `source` of another region into `destination`, as the role `role_arn`.

    Its region is asked when this is created, changed or removed. `resource` is there once objects are copied.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        source: BucketPlace,
        destination: BucketPlace,
        role_arn: str,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        function = CustomResourceFunction(
            self,
            "Function",
            handler="bucket_replication",
            description=f"Configures the replication of the bucket in {source.region} for CloudFormation",
            timeout=TIME_LIMIT,
            log_key=log_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        function.role.add_to_policy(
            iam.PolicyStatement(
                actions=["s3:GetReplicationConfiguration", "s3:PutReplicationConfiguration"],
                resources=[source.arn],
            )
        )
        function.role.add_to_policy(
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "s3.amazonaws.com"}},
            )
        )
        self.resource = function.resource(
            self,
            "Configuration",
            resource_type="Custom::BucketReplication",
            properties={
                "Bucket": source.name,
                "Region": source.region,
                "Configuration": cdk.Stack.of(self).to_json_string(_configuration(destination, role_arn)),
            },
        )


def _configuration(destination: BucketPlace, role_arn: str) -> dict[str, object]:
    """What PutBucketReplication takes: the same as `Replication.rule` says to CloudFormation."""
    time_control = {"Minutes": TIME_CONTROL.to_minutes()}
    return {
        "Role": role_arn,
        "Rules": [
            {
                "ID": RULE,
                "Priority": 1,
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "SourceSelectionCriteria": {
                    "SseKmsEncryptedObjects": {"Status": "Enabled"},
                    "ReplicaModifications": {"Status": "Enabled"},
                },
                "DeleteMarkerReplication": {"Status": "Enabled"},
                "Destination": {
                    "Bucket": destination.arn,
                    "EncryptionConfiguration": {"ReplicaKmsKeyID": destination.key_arn},
                    "ReplicationTime": {"Status": "Enabled", "Time": time_control},
                    "Metrics": {"Status": "Enabled", "EventThreshold": time_control},
                },
            }
        ],
    }
