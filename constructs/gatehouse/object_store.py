"""S3 buckets."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from gatehouse.findings import acknowledge, acknowledge_nist
from gatehouse.object_replication import Replication

# How long an overwritten or deleted object can be brought back.
UNDELETE_PERIOD = cdk.Duration.days(90)
INCOMPLETE_UPLOAD_PERIOD = cdk.Duration.days(7)


class LogBucket(Construct):
    """A bucket for the access logs of load balancers and of other buckets; objects leave after `retention`.

    It outlives its stack in every environment: CloudFormation cannot remove a bucket that holds
    objects, and a load balancer writes one at once.
    """

    def __init__(self, scope: Construct, construct_id: str, *, retention: cdk.Duration) -> None:
        super().__init__(scope, construct_id)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            # Neither load balancers nor S3 deliver access logs to a bucket with a customer managed key.
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            versioned=True,
            minimum_tls_version=1.2,
            # Keys that callers bring would make objects unreadable to everybody else.
            blocked_encryption_types=[s3.BlockedEncryptionType.SSE_C],
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
        acknowledge(
            self.bucket,
            {"S1": "It receives access logs: logging the access to them as well would never end."},
        )
        acknowledge_nist(
            self.bucket,
            {
                "S3BucketLoggingEnabled": "It receives access logs: logging the access to them as well would "
                "never end.",
                "S3BucketReplicationEnabled": "Each region keeps its own logs: those of a lost region say "
                "nothing about the other.",
                "S3DefaultEncryptionKMS": "Load balancers and S3 deliver access logs to no bucket with a "
                "customer managed key.",
            },
        )


class ObjectStore(Construct):
    """The gateway's own bucket: versioned, encrypted, TLS only, every access logged to `access_logs`.

    `account_regional_prefix` gives it the name `<prefix>-<account>-<region>-an`, which no other account can
    take. What is stored in it is copied as `replication` says. With `removal_policy` DESTROY its removal
    succeeds only while it is empty.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        encryption_key: kms.IKey,
        access_logs: s3.IBucket,
        removal_policy: cdk.RemovalPolicy,
        account_regional_prefix: str | None = None,
        replication: Replication | None = None,
        not_copied: str = "Objects are copied to another region where there is a standby.",
    ) -> None:
        super().__init__(scope, construct_id)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            bucket_name_prefix=account_regional_prefix,
            bucket_namespace=s3.BucketNamespace.ACCOUNT_REGIONAL if account_regional_prefix else None,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=encryption_key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=True,
            blocked_encryption_types=[s3.BlockedEncryptionType.SSE_C],
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix="objects/",
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="versions",
                    noncurrent_version_expiration=UNDELETE_PERIOD,
                    abort_incomplete_multipart_upload_after=INCOMPLETE_UPLOAD_PERIOD,
                )
            ],
            replication_role=replication.role if replication else None,
            replication_rules=[replication.rule(self)] if replication else None,
            removal_policy=removal_policy,
        )
        if replication is None:
            acknowledge_nist(
                self.bucket,
                {"S3BucketReplicationEnabled": not_copied},
            )
