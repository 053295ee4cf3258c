from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms

from gatehouse.object_store import LogBucket, ObjectStore
from tests.constructs.conftest import Properties


@pytest.fixture
def buckets(stack: cdk.Stack, key: kms.IKey, properties: Properties) -> list[dict[str, Any]]:
    logs = LogBucket(stack, "Logs", retention=cdk.Duration.days(30))
    ObjectStore(
        stack,
        "Objects",
        encryption_key=key,
        access_logs=logs.bucket,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    return properties("AWS::S3::Bucket")


def _encryption(bucket: dict[str, Any]) -> dict[str, Any]:
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    algorithm: dict[str, Any] = rule["ServerSideEncryptionByDefault"]
    return algorithm


def test_no_bucket_is_public_or_without_versions(buckets: list[dict[str, Any]]) -> None:
    assert len(buckets) == 2
    for bucket in buckets:
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


@pytest.mark.usefixtures("buckets")
def test_no_bucket_answers_without_tls(properties: Properties) -> None:
    for policy in properties("AWS::S3::BucketPolicy"):
        denied = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        conditions = [statement["Condition"] for statement in denied]
        assert {"Bool": {"aws:SecureTransport": "false"}} in conditions
        assert {"NumericLessThan": {"s3:TlsVersion": 1.2}} in conditions


def test_no_bucket_takes_objects_under_keys_of_callers(buckets: list[dict[str, Any]]) -> None:
    for bucket in buckets:
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["BlockedEncryptionTypes"] == {"EncryptionType": ["SSE-C"]}


def test_objects_are_encrypted_with_our_key_and_every_access_is_logged(
    buckets: list[dict[str, Any]], key: kms.IKey
) -> None:
    (objects,) = [bucket for bucket in buckets if "LoggingConfiguration" in bucket]
    assert _encryption(objects) == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key.key_arn}
    # Load balancers and S3 itself deliver their logs to no bucket with a key of ours.
    (logs,) = [bucket for bucket in buckets if "LoggingConfiguration" not in bucket]
    assert _encryption(logs) == {"SSEAlgorithm": "AES256"}


def test_logs_expire(buckets: list[dict[str, Any]]) -> None:
    (logs,) = [bucket for bucket in buckets if "LoggingConfiguration" not in bucket]
    (rule,) = logs["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == 30
