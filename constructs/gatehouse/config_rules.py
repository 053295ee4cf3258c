"""AWS Config: what the account's resources look like after somebody has changed them by hand."""

import aws_cdk as cdk
from aws_cdk import aws_config as config
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from gatehouse.findings import acknowledge

_Rules = config.ManagedRuleIdentifiers
# What the templates promise, asked again of what is deployed. All without parameters.
RULES = {
    "TrailInEveryRegion": _Rules.CLOUDTRAIL_MULTI_REGION_ENABLED,
    "TrailValidated": _Rules.CLOUD_TRAIL_LOG_FILE_VALIDATION_ENABLED,
    "NoPublicReads": _Rules.S3_BUCKET_PUBLIC_READ_PROHIBITED,
    "NoPublicWrites": _Rules.S3_BUCKET_PUBLIC_WRITE_PROHIBITED,
    "BucketsNeedTls": _Rules.S3_BUCKET_SSL_REQUESTS_ONLY,
    "BucketsVersioned": _Rules.S3_BUCKET_VERSIONING_ENABLED,
    "DatabaseEncrypted": _Rules.RDS_STORAGE_ENCRYPTED,
    "DatabasePrivate": _Rules.RDS_INSTANCE_PUBLIC_ACCESS_CHECK,
    "SnapshotsPrivate": _Rules.RDS_SNAPSHOTS_PUBLIC_PROHIBITED,
    "SecretsUseOwnKeys": _Rules.SECRETSMANAGER_USING_CMK,
    "KeysRotate": _Rules.CMK_BACKING_KEY_ROTATION_ENABLED,
    "KeysStay": _Rules.KMS_CMK_NOT_SCHEDULED_FOR_DELETION,
    "DefaultSecurityGroupClosed": _Rules.VPC_DEFAULT_SECURITY_GROUP_CLOSED,
    "FlowLogs": _Rules.VPC_FLOW_LOGS_ENABLED,
    "WafAttached": _Rules.ALB_WAF_ENABLED,
    "HttpRedirected": _Rules.ALB_HTTP_TO_HTTPS_REDIRECTION_CHECK,
    "TagsImmutable": _Rules.ECR_PRIVATE_TAG_IMMUTABILITY_ENABLED,
    "ContainersReadOnly": _Rules.ECS_CONTAINERS_READONLY_ACCESS,
    "ContainersUnprivileged": _Rules.ECS_CONTAINERS_NONPRIVILEGED,
    "LogGroupsEncrypted": _Rules.CLOUDWATCH_LOG_GROUP_ENCRYPTED,
    "RootHasMfa": _Rules.ROOT_ACCOUNT_MFA_ENABLED,
    "RootHasNoKeys": _Rules.IAM_ROOT_ACCESS_KEY_CHECK,
}
READS = "service-role/AWS_ConfigRole"


class ConfigRules(Construct):
    """Managed rules of AWS Config over what the account has recorded, and records in this region."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        for name, identifier in RULES.items():
            config.ManagedRule(self, name, identifier=identifier)


class ConfigRecorder(Construct):
    """The account's recorder of every resource in this region; its history goes to `bucket`.

    An account has one in each region: deploying it fails where there is one already. `bucket` must have
    no default retention, with which AWS Config delivers nothing.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, bucket: s3.IBucket, encryption_key: kms.IKey
    ) -> None:
        super().__init__(scope, construct_id)
        role = _recorder_role(self)
        _let_write(role, bucket, encryption_key)
        self.recorder = config.CfnConfigurationRecorder(
            self,
            "Recorder",
            role_arn=role.role_arn,
            recording_group=config.CfnConfigurationRecorder.RecordingGroupProperty(
                all_supported=True, include_global_resource_types=True
            ),
        )
        self.recorder.node.add_dependency(role)
        # Neither waits for the other: the recorder starts once the account has a channel.
        channel = config.CfnDeliveryChannel(
            self, "Channel", s3_bucket_name=bucket.bucket_name, s3_kms_key_arn=encryption_key.key_arn
        )
        channel.node.add_dependency(role, bucket)


def _recorder_role(scope: Construct) -> iam.Role:
    role = iam.Role(
        scope,
        "Role",
        description="AWS Config reads the account's resources and writes down how they change",
        assumed_by=iam.ServicePrincipal(
            "config.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account}},
        ),
        managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(READS)],
    )
    acknowledge(
        role,
        {
            f"IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{READS}]": "AWS adds to it the reads "
            "that recording a new resource type needs.",
        },
    )
    return role


def _let_write(role: iam.Role, bucket: s3.IBucket, encryption_key: kms.IKey) -> None:
    encryption_key.grant(role, "kms:Decrypt", "kms:GenerateDataKey")
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[role], actions=["s3:GetBucketAcl", "s3:ListBucket"], resources=[bucket.bucket_arn]
        )
    )
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[role],
            actions=["s3:PutObject"],
            resources=[bucket.arn_for_objects(f"AWSLogs/{cdk.Stack.of(role).account}/Config/*")],
            conditions={"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}},
        )
    )
