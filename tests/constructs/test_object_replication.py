"""Two buckets that are copied into each other, and the address that leads to one of them."""

import json
from typing import Any

import aws_cdk as cdk
import boto3
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from botocore.validate import ParamValidator

from gatehouse.object_access_point import ObjectAccessPoint
from gatehouse.object_replication import BucketPlace, Replication, ReplicationAlarms, ReplicationRole
from gatehouse.object_store import LogBucket, ObjectStore
from gatehouse.primary_replication import PrimaryReplication
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.directories import KEY_ARN, Resources, new_stack

OTHER_REGION = "us-east-1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:gatehouse-test-alarms"
PREFIX = "gatehouse-test-objects"
HERE = BucketPlace(name=f"{PREFIX}-{ACCOUNT}-{REGION}-an", region=REGION, key_arn=KEY_ARN)
THERE = BucketPlace(
    name=f"{PREFIX}-{ACCOUNT}-{OTHER_REGION}-an",
    region=OTHER_REGION,
    key_arn=f"arn:aws:kms:{OTHER_REGION}:{ACCOUNT}:key/imported",
)
ROLE_THERE = f"arn:aws:iam::{ACCOUNT}:role/replication-there"
PERIOD_OF_TIME_CONTROL = 15 * 60


@pytest.fixture(scope="module")
def resources() -> Resources:
    """What the standby's stack has of it: a bucket that is copied back, the other direction, the address."""
    stack = new_stack()
    key = kms.Key.from_key_arn(stack, "Key", KEY_ARN)
    log: dict[str, Any] = {
        "log_key": key,
        "log_retention": logs.RetentionDays.ONE_MONTH,
        "removal_policy": cdk.RemovalPolicy.DESTROY,
    }
    replication = ReplicationRole(stack, "Copying", source=HERE, destination=THERE)
    ObjectStore(
        stack,
        "Objects",
        encryption_key=key,
        access_logs=LogBucket(stack, "Logs", retention=cdk.Duration.days(30)).bucket,
        removal_policy=cdk.RemovalPolicy.RETAIN,
        account_regional_prefix=PREFIX,
        replication=Replication(destination=THERE, role=replication.role),
    )
    ReplicationAlarms(stack, "Alarms", source=HERE.name, destination=THERE.name, topic_arn=TOPIC)
    PrimaryReplication(stack, "Primary", source=THERE, destination=HERE, role_arn=ROLE_THERE, **log)
    ObjectAccessPoint(stack, "Point", active=THERE, passive=HERE, **log)
    return Resources(stack)


@pytest.fixture(scope="module")
def replication(resources: Resources) -> dict[str, Any]:
    configuration: dict[str, Any] = resources.named("ObjectsBucket", "AWS::S3::Bucket")[
        "ReplicationConfiguration"
    ]
    return configuration


@pytest.fixture(scope="module")
def opposite(resources: Resources) -> dict[str, Any]:
    """The other direction, as PutBucketReplication takes it."""
    (resource,) = resources.properties("Custom::BucketReplication")
    assert (resource["Bucket"], resource["Region"]) == (THERE.name, OTHER_REGION)
    configuration: dict[str, Any] = json.loads(resource["Configuration"])
    return configuration


def test_the_bucket_s_name_is_known_before_it_exists_and_nobody_else_s(resources: Resources) -> None:
    bucket = resources.named("ObjectsBucket", "AWS::S3::Bucket")
    assert bucket["BucketNamePrefix"] == PREFIX
    assert bucket["BucketNamespace"] == "account-regional"
    assert "BucketName" not in bucket


def test_everything_is_copied_and_measured(replication: dict[str, Any]) -> None:
    (rule,) = replication["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["Filter"] == {"Prefix": ""}
    assert rule["DeleteMarkerReplication"] == {"Status": "Enabled"}
    assert rule["SourceSelectionCriteria"] == {
        "ReplicaModifications": {"Status": "Enabled"},
        "SseKmsEncryptedObjects": {"Status": "Enabled"},
    }
    destination = rule["Destination"]
    assert destination["Bucket"] == f"arn:aws:s3:::{THERE.name}"
    assert destination["EncryptionConfiguration"] == {"ReplicaKmsKeyID": THERE.key_arn}
    assert destination["ReplicationTime"] == {"Status": "Enabled", "Time": {"Minutes": 15}}
    assert destination["Metrics"] == {"Status": "Enabled", "EventThreshold": {"Minutes": 15}}


def test_both_directions_are_the_same_but_for_where_they_lead(
    replication: dict[str, Any], opposite: dict[str, Any]
) -> None:
    (rule,), (back,) = replication["Rules"], opposite["Rules"]
    there, here = rule["Destination"], back["Destination"]
    assert here["Bucket"] == f"arn:aws:s3:::{HERE.name}"
    assert here["EncryptionConfiguration"] == {"ReplicaKmsKeyID": HERE.key_arn}
    where = {"Bucket", "EncryptionConfiguration"}
    assert {k: v for k, v in here.items() if k not in where} == {
        k: v for k, v in there.items() if k not in where
    }
    assert {k: v for k, v in back.items() if k not in {"ID", "Destination"}} == {
        k: v for k, v in rule.items() if k not in {"Id", "Destination"}
    }
    assert back["ID"] == rule["Id"]
    assert opposite["Role"] == ROLE_THERE


def test_s3_understands_the_other_direction(opposite: dict[str, Any]) -> None:
    service = boto3.session.Session().client("s3", region_name=OTHER_REGION).meta.service_model
    shape = service.operation_model("PutBucketReplication").input_shape
    report = ParamValidator().validate({"Bucket": THERE.name, "ReplicationConfiguration": opposite}, shape)
    assert not report.has_errors(), report.generate_report()


def _allowed(resources: Resources, role: str) -> dict[str, dict[str, Any]]:
    """The statements of a role's policy, by their actions, without those for its log."""
    policy = resources.named(f"{role}DefaultPolicy", "AWS::IAM::Policy")
    statements = policy["PolicyDocument"]["Statement"]
    return {str(s["Action"]): s for s in statements if "logs:" not in str(s["Action"])}


def test_s3_may_read_here_and_write_there_and_nothing_else(resources: Resources) -> None:
    allowed = _allowed(resources, "CopyingRole")
    assert {actions: statement["Resource"] for actions, statement in allowed.items()} == {
        "['s3:GetReplicationConfiguration', 's3:ListBucket']": HERE.arn,
        "['s3:GetObjectVersionAcl', 's3:GetObjectVersionForReplication', 's3:GetObjectVersionTagging']": (
            f"{HERE.arn}/*"
        ),
        "['s3:ReplicateDelete', 's3:ReplicateObject', 's3:ReplicateTags']": f"{THERE.arn}/*",
        "kms:Decrypt": HERE.key_arn,
        "['kms:Encrypt', 'kms:GenerateDataKey']": THERE.key_arn,
    }
    for actions, bucket in (
        ("kms:Decrypt", HERE),
        ("['kms:Encrypt', 'kms:GenerateDataKey']", THERE),
    ):
        assert allowed[actions]["Condition"] == {
            "StringEquals": {"kms:ViaService": f"s3.{bucket.region}.amazonaws.com"},
            "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket.arn, f"{bucket.arn}/*"]},
        }


def test_the_other_direction_is_set_for_that_bucket_with_that_role_alone(resources: Resources) -> None:
    allowed = _allowed(resources, "PrimaryFunctionRole")
    configuring = allowed["['s3:GetReplicationConfiguration', 's3:PutReplicationConfiguration']"]
    assert configuring["Resource"] == THERE.arn
    assert allowed["iam:PassRole"]["Resource"] == ROLE_THERE
    assert allowed["iam:PassRole"]["Condition"] == {
        "StringEquals": {"iam:PassedToService": "s3.amazonaws.com"}
    }
    assert len(allowed) == 2


def test_somebody_hears_of_copies_that_come_late_or_never(resources: Resources) -> None:
    alarms = {alarm["MetricName"]: alarm for alarm in resources.properties("AWS::CloudWatch::Alarm")}
    assert alarms.keys() == {"ReplicationLatency", "OperationsFailedReplication"}
    assert alarms["ReplicationLatency"]["Threshold"] == PERIOD_OF_TIME_CONTROL  # seconds
    assert alarms["ReplicationLatency"]["Statistic"] == "Maximum"
    assert alarms["OperationsFailedReplication"]["Threshold"] == 0
    for alarm in alarms.values():
        assert alarm["Namespace"] == "AWS/S3"
        assert {d["Name"]: d["Value"] for d in alarm["Dimensions"]} == {
            "SourceBucket": HERE.name,
            "DestinationBucket": THERE.name,
            "RuleId": "to-the-other-region",
        }
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
        # There is no value while there is nothing to copy.
        assert alarm["TreatMissingData"] == "notBreaching"


def test_the_rule_is_called_as_the_alarms_know_it(replication: dict[str, Any]) -> None:
    (rule,) = replication["Rules"]
    assert rule["Id"] == "to-the-other-region"


def test_one_address_leads_to_both_buckets_and_is_not_public(resources: Resources) -> None:
    (point,) = resources.properties("AWS::S3::MultiRegionAccessPoint")
    assert point["Regions"] == [
        {"Bucket": THERE.name, "BucketAccountId": ACCOUNT},
        {"Bucket": HERE.name, "BucketAccountId": ACCOUNT},
    ]
    assert set(point["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(point["PublicAccessBlockConfiguration"]) == 4


def test_at_first_it_leads_to_the_primary(resources: Resources) -> None:
    (routes,) = resources.properties("Custom::AccessPointRoutes")
    assert (routes["Active"], routes["Passive"]) == (OTHER_REGION, REGION)
    (name,) = (n for n, r in resources.by_id.items() if r["Type"] == "AWS::S3::MultiRegionAccessPoint")
    arn = {"Fn::Join": ["", [f"arn:aws:s3::{ACCOUNT}:accesspoint/", {"Fn::GetAtt": [name, "Alias"]}]]}
    assert routes["AccessPoint"] == arn
    assert _allowed(resources, "PointFunctionRole") == {
        "s3:SubmitMultiRegionAccessPointRoutes": {
            "Action": "s3:SubmitMultiRegionAccessPointRoutes",
            "Effect": "Allow",
            "Resource": arn,
        }
    }
