"""The record of who did what in the account."""

from typing import Literal

import aws_cdk as cdk
from aws_cdk import aws_cloudtrail as cloudtrail
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from gatehouse.findings import acknowledge_nist
from gatehouse.object_store import INCOMPLETE_UPLOAD_PERIOD

ObjectLock = Literal["none", "governance", "compliance"]
TRAIL_PRINCIPAL = "cloudtrail.amazonaws.com"


class AuditTrail(Construct):
    """A CloudTrail trail of every API call in every region, and of every access to an object in S3.

    Reading a secret is an API call, so it is among them. The records are signed, encrypted with
    `encryption_key`, whose policy must let CloudTrail use it, and locked in a bucket for `retention`.
    `log_group` has a copy for queries and alarms. The bucket outlives its stack in every environment.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        trail_name: str,
        encryption_key: kms.IKey,
        access_logs: s3.IBucket,
        object_lock: ObjectLock,
        retention: cdk.Duration,
        insights: bool,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        log_removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self._trail_arn = cdk.Stack.of(self).format_arn(
            service="cloudtrail", resource="trail", resource_name=trail_name
        )
        self.bucket = _locked_bucket(self, encryption_key, access_logs, object_lock, retention)
        self._let_cloudtrail_write()
        self.log_group = logs.LogGroup(
            self,
            "LogGroup",
            encryption_key=log_key,
            retention=log_retention,
            removal_policy=log_removal_policy,
        )
        trail = cloudtrail.CfnTrail(
            self,
            "Trail",
            trail_name=trail_name,
            is_logging=True,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            s3_bucket_name=self.bucket.bucket_name,
            kms_key_id=encryption_key.key_arn,
            cloud_watch_logs_log_group_arn=self.log_group.log_group_arn,
            cloud_watch_logs_role_arn=self._log_role().role_arn,
            advanced_event_selectors=[_every_api_call(), _every_object_but(self.bucket, access_logs)],
            insight_selectors=_insights() if insights else None,
        )
        # CloudTrail tries the bucket and the log group when the trail is made.
        trail.node.add_dependency(self.bucket, self.node.find_child("LogRole"))

    def _let_cloudtrail_write(self) -> None:
        principal = iam.ServicePrincipal(TRAIL_PRINCIPAL)
        this_trail = {"aws:SourceArn": self._trail_arn}
        records = self.bucket.arn_for_objects(f"AWSLogs/{cdk.Stack.of(self).account}/*")
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[principal],
                actions=["s3:GetBucketAcl"],
                resources=[self.bucket.bucket_arn],
                conditions={"StringEquals": this_trail},
            )
        )
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[principal],
                actions=["s3:PutObject"],
                resources=[records],
                conditions={"StringEquals": this_trail | {"s3:x-amz-acl": "bucket-owner-full-control"}},
            )
        )

    def _log_role(self) -> iam.Role:
        role = iam.Role(
            self,
            "LogRole",
            description="CloudTrail writes records into their log group",
            assumed_by=iam.ServicePrincipal(
                TRAIL_PRINCIPAL, conditions={"StringEquals": {"aws:SourceArn": self._trail_arn}}
            ),
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[self.log_group.log_group_arn],
            )
        )
        return role


def _locked_bucket(
    scope: Construct,
    encryption_key: kms.IKey,
    access_logs: s3.IBucket,
    object_lock: ObjectLock,
    retention: cdk.Duration,
) -> s3.Bucket:
    locks = {"governance": s3.ObjectLockRetention.governance, "compliance": s3.ObjectLockRetention.compliance}
    bucket = s3.Bucket(
        scope,
        "Bucket",
        encryption=s3.BucketEncryption.KMS,
        encryption_key=encryption_key,
        bucket_key_enabled=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        versioned=True,
        # Keys that callers bring would make records unreadable to everybody else.
        blocked_encryption_types=[s3.BlockedEncryptionType.SSE_C],
        object_lock_enabled=object_lock != "none",
        object_lock_default_retention=locks[object_lock](retention) if object_lock != "none" else None,
        server_access_logs_bucket=access_logs,
        server_access_logs_prefix="audit/",
        lifecycle_rules=[
            s3.LifecycleRule(
                id="expire",
                expiration=retention,
                noncurrent_version_expiration=cdk.Duration.days(1),
                abort_incomplete_multipart_upload_after=INCOMPLETE_UPLOAD_PERIOD,
            )
        ],
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    acknowledge_nist(
        bucket,
        {
            "S3BucketReplicationEnabled": "Nothing recovers from these records; "
            "the lock and S3's copies in three zones keep them."
        },
    )
    return bucket


_Selector = cloudtrail.CfnTrail.AdvancedEventSelectorProperty
_Field = cloudtrail.CfnTrail.AdvancedFieldSelectorProperty


def _every_api_call() -> _Selector:
    return _Selector(
        name="Every API call", field_selectors=[_Field(field="eventCategory", equal_to=["Management"])]
    )


def _every_object_but(*buckets: s3.IBucket) -> _Selector:
    # A record of a record's delivery would be delivered as well, and so on.
    return _Selector(
        name="Every access to an object",
        field_selectors=[
            _Field(field="eventCategory", equal_to=["Data"]),
            _Field(field="resources.type", equal_to=["AWS::S3::Object"]),
            _Field(field="resources.ARN", not_starts_with=[bucket.arn_for_objects("") for bucket in buckets]),
        ],
    )


def _insights() -> list[cloudtrail.CfnTrail.InsightSelectorProperty]:
    return [
        cloudtrail.CfnTrail.InsightSelectorProperty(insight_type=insight_type)
        for insight_type in ("ApiCallRateInsight", "ApiErrorRateInsight")
    ]
