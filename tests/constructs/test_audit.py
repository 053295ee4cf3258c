"""What is recorded, who can remove it, and what may write it."""

import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template

from gatehouse.audit_alarms import AuditAlarms
from gatehouse.audit_trail import AuditTrail, ObjectLock
from gatehouse.config_rules import ConfigRecorder, ConfigRules
from gatehouse.security_hub import STANDARDS, SecurityHub, ThreatDetection
from tests.constructs.conftest import ACCOUNT, REGION

TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/gatehouse-test"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/imported"


def _stack() -> cdk.Stack:
    app = cdk.App(
        context={"@aws-cdk/core:enablePartitionLiterals": True},
        builtin_cloud_formation_validation=False,
        analytics_reporting=False,
    )
    return cdk.Stack(app, "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))


def _trail(stack: cdk.Stack, *, object_lock: ObjectLock, insights: bool = False) -> AuditTrail:
    key = kms.Key.from_key_arn(stack, "Key", KEY)
    return AuditTrail(
        stack,
        "Trail",
        trail_name="gatehouse-test",
        encryption_key=key,
        access_logs=s3.Bucket.from_bucket_name(stack, "AccessLogs", "access-logs"),
        object_lock=object_lock,
        retention=cdk.Duration.days(400),
        insights=insights,
        log_key=key,
        log_retention=logs.RetentionDays.ONE_MONTH,
        log_removal_policy=cdk.RemovalPolicy.DESTROY,
    )


@pytest.fixture(scope="module")
def template() -> Template:
    """A locked trail with its alarms."""
    stack = _stack()
    trail = _trail(stack, object_lock="compliance")
    AuditAlarms(stack, "Alarms", log_group=trail.log_group, topic_arn=TOPIC)
    return Template.from_stack(stack)


def _only(template: Template, resource_type: str) -> Mapping[str, Any]:
    (resource,) = template.find_resources(resource_type).values()
    return resource


def _trail_properties(template: Template) -> Mapping[str, Any]:
    properties: Mapping[str, Any] = _only(template, "AWS::CloudTrail::Trail")["Properties"]
    return properties


def test_the_trail_covers_every_region_and_global_services(template: Template) -> None:
    trail = _trail_properties(template)
    assert trail["IsLogging"] is True
    assert trail["IsMultiRegionTrail"] is True
    assert trail["IncludeGlobalServiceEvents"] is True


def test_records_are_signed_and_encrypted_with_our_key(template: Template) -> None:
    trail = _trail_properties(template)
    assert trail["EnableLogFileValidation"] is True
    assert trail["KMSKeyId"] == KEY
    (encryption,) = _only(template, "AWS::S3::Bucket")["Properties"]["BucketEncryption"][
        "ServerSideEncryptionConfiguration"
    ]
    assert encryption["ServerSideEncryptionByDefault"] == {
        "KMSMasterKeyID": KEY,
        "SSEAlgorithm": "aws:kms",
    }


def test_every_api_call_is_recorded_without_exception(template: Template) -> None:
    calls, _ = _trail_properties(template)["AdvancedEventSelectors"]
    assert calls["FieldSelectors"] == [{"Field": "eventCategory", "Equals": ["Management"]}]


def test_accesses_to_objects_are_recorded_but_not_to_the_records_themselves(template: Template) -> None:
    _, objects = _trail_properties(template)["AdvancedEventSelectors"]
    category, kind, but = objects["FieldSelectors"]
    assert category == {"Field": "eventCategory", "Equals": ["Data"]}
    assert kind == {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}
    assert but["Field"] == "resources.ARN"
    records, access_logs = but["NotStartsWith"]
    (bucket,) = template.find_resources("AWS::S3::Bucket")
    assert records == {"Fn::Join": ["", [{"Fn::GetAtt": [bucket, "Arn"]}, "/"]]}
    assert access_logs == "arn:aws:s3:::access-logs/"


def test_the_bucket_is_locked_for_the_retention(template: Template) -> None:
    bucket = _only(template, "AWS::S3::Bucket")["Properties"]
    assert bucket["ObjectLockEnabled"] is True
    assert bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"] == {
        "Mode": "COMPLIANCE",
        "Days": 400,
    }
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == 400
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}


@pytest.mark.parametrize(("object_lock", "mode"), [("governance", "GOVERNANCE"), ("none", None)])
def test_the_lock_is_as_configured(object_lock: ObjectLock, mode: str | None) -> None:
    stack = _stack()
    _trail(stack, object_lock=object_lock)
    bucket = _only(Template.from_stack(stack), "AWS::S3::Bucket")["Properties"]
    assert bucket.get("ObjectLockEnabled", False) is (mode is not None)
    locked = bucket.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {}).get("Mode")
    assert locked == mode


def test_the_bucket_outlives_its_stack(template: Template) -> None:
    bucket = _only(template, "AWS::S3::Bucket")
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"


def test_only_this_trail_writes_into_the_bucket(template: Template) -> None:
    statements = _only(template, "AWS::S3::BucketPolicy")["Properties"]["PolicyDocument"]["Statement"]
    allowed = [statement for statement in statements if statement["Effect"] == "Allow"]
    assert [statement["Action"] for statement in allowed] == ["s3:GetBucketAcl", "s3:PutObject"]
    for statement in allowed:
        assert statement["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
        assert statement["Condition"]["StringEquals"]["aws:SourceArn"] == TRAIL


def test_only_this_trail_writes_into_the_log_group(template: Template) -> None:
    (trust,) = _only(template, "AWS::IAM::Role")["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceArn": TRAIL}}
    (log_group,) = template.find_resources("AWS::Logs::LogGroup")
    (statement,) = _only(template, "AWS::IAM::Policy")["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert statement["Resource"] == {"Fn::GetAtt": [log_group, "Arn"]}


def test_the_trail_waits_until_it_may_write(template: Template) -> None:
    # CloudTrail refuses a bucket or a log group that it cannot write into.
    before = set(_only(template, "AWS::CloudTrail::Trail")["DependsOn"])
    assert before >= set(template.find_resources("AWS::S3::BucketPolicy"))
    assert before >= set(template.find_resources("AWS::IAM::Policy"))


def test_insights_are_paid_for_only_where_asked_for(template: Template) -> None:
    assert "InsightSelectors" not in _trail_properties(template)
    stack = _stack()
    _trail(stack, object_lock="none", insights=True)
    assert [
        selector["InsightType"]
        for selector in _trail_properties(Template.from_stack(stack))["InsightSelectors"]
    ] == ["ApiCallRateInsight", "ApiErrorRateInsight"]


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("TrailChanged", ["StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors"]),
        ("KeyDisabled", ["DisableKey", "ScheduleKeyDeletion"]),
        ("RootUsed", ["Root"]),
    ],
)
def test_an_alarm_tells_of_what_no_normal_day_has(template: Template, name: str, named: list[str]) -> None:
    filters = [found["Properties"] for found in template.find_resources("AWS::Logs::MetricFilter").values()]
    (metric_filter,) = [found for found in filters if found["MetricTransformations"][0]["MetricName"] == name]
    assert all(json.dumps(word) in metric_filter["FilterPattern"] for word in named)
    alarms = [found["Properties"] for found in template.find_resources("AWS::CloudWatch::Alarm").values()]
    (alarm,) = [found for found in alarms if found["MetricName"] == name]
    assert alarm["Namespace"] == metric_filter["MetricTransformations"][0]["MetricNamespace"]
    assert (alarm["Statistic"], alarm["Threshold"], alarm["EvaluationPeriods"]) == ("Sum", 1, 1)
    assert alarm["TreatMissingData"] == "notBreaching"
    assert alarm["AlarmActions"] == [TOPIC]


@pytest.fixture(scope="module")
def account() -> Template:
    """Everything that judges and watches the account."""
    stack = _stack()
    ConfigRules(stack, "Rules")
    ConfigRecorder(
        stack,
        "Recorder",
        bucket=s3.Bucket(stack, "History"),
        encryption_key=kms.Key.from_key_arn(stack, "Key", KEY),
    )
    SecurityHub(stack, "SecurityHub", standards=list(STANDARDS))
    ThreatDetection(stack, "ThreatDetection")
    return Template.from_stack(stack)


def test_config_rules_are_those_of_aws_and_need_no_parameter(account: Template) -> None:
    rules = [found["Properties"] for found in account.find_resources("AWS::Config::ConfigRule").values()]
    assert len(rules) == len({rule["Source"]["SourceIdentifier"] for rule in rules})
    for rule in rules:
        assert rule["Source"]["Owner"] == "AWS"
        assert "InputParameters" not in rule


def test_the_recorder_records_everything(account: Template) -> None:
    recorder = _only(account, "AWS::Config::ConfigurationRecorder")["Properties"]
    assert recorder["RecordingGroup"] == {"AllSupported": True, "IncludeGlobalResourceTypes": True}


def test_the_recorder_writes_into_its_bucket_alone(account: Template) -> None:
    (bucket,) = account.find_resources("AWS::S3::Bucket")
    (role,) = account.find_resources("AWS::IAM::Role")
    channel = _only(account, "AWS::Config::DeliveryChannel")
    assert channel["Properties"] == {"S3BucketName": {"Ref": bucket}, "S3KmsKeyArn": KEY}
    assert set(channel["DependsOn"]) >= set(account.find_resources("AWS::S3::BucketPolicy"))
    principal = {"AWS": {"Fn::GetAtt": [role, "Arn"]}}
    arn = {"Fn::GetAtt": [bucket, "Arn"]}
    assert _only(account, "AWS::S3::BucketPolicy")["Properties"]["PolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": principal,
            "Action": ["s3:GetBucketAcl", "s3:ListBucket"],
            "Resource": arn,
        },
        {
            "Effect": "Allow",
            "Principal": principal,
            "Action": "s3:PutObject",
            "Resource": {"Fn::Join": ["", [arn, f"/AWSLogs/{ACCOUNT}/Config/*"]]},
            "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}},
        },
    ]


def test_the_recorder_reads_what_aws_says_and_uses_our_key(account: Template) -> None:
    role = _only(account, "AWS::IAM::Role")["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    (reads,) = role["ManagedPolicyArns"]
    assert json.dumps(reads).endswith(':iam::aws:policy/service-role/AWS_ConfigRole"]]}')
    assert _only(account, "AWS::IAM::Policy")["Properties"]["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": KEY}
    ]


def test_the_recorder_and_its_channel_do_not_wait_for_each_other(account: Template) -> None:
    (recorder,) = account.find_resources("AWS::Config::ConfigurationRecorder")
    (channel,) = account.find_resources("AWS::Config::DeliveryChannel")
    assert channel not in _only(account, "AWS::Config::ConfigurationRecorder")["DependsOn"]
    assert recorder not in _only(account, "AWS::Config::DeliveryChannel")["DependsOn"]


def test_security_hub_has_the_standards_that_are_asked_for_and_no_others(account: Template) -> None:
    hub = _only(account, "AWS::SecurityHub::Hub")["Properties"]
    assert hub["EnableDefaultStandards"] is False
    standards = account.find_resources("AWS::SecurityHub::Standard")
    prefix = f"arn:aws:securityhub:{REGION}::standards/"
    assert {found["Properties"]["StandardsArn"] for found in standards.values()} == {
        f"{prefix}aws-foundational-security-best-practices/v/1.0.0",
        f"{prefix}cis-aws-foundations-benchmark/v/3.0.0",
        f"{prefix}nist-800-53/v/5.0.0",
    }
    for standard in standards.values():
        assert standard["DependsOn"] == list(account.find_resources("AWS::SecurityHub::Hub"))


def test_guardduty_watches_objects_sign_ins_to_the_database_and_functions(account: Template) -> None:
    detector = _only(account, "AWS::GuardDuty::Detector")["Properties"]
    assert detector["Enable"] is True
    assert {feature["Name"] for feature in detector["Features"] if feature["Status"] == "ENABLED"} == {
        "S3_DATA_EVENTS",
        "RDS_LOGIN_EVENTS",
        "LAMBDA_NETWORK_LOGS",
    }
