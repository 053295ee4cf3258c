"""The vault, its lock, what is copied into it and by whom."""

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template

from gatehouse.backup import DatabaseBackup
from tests.constructs.conftest import ACCOUNT, REGION

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/imported"
INSTANCE = f"arn:aws:rds:{REGION}:{ACCOUNT}:db:gatehouse-test"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:gatehouse-test-alarms"


def _template(lock: Any = "compliance") -> Template:
    app = cdk.App(builtin_cloud_formation_validation=False, analytics_reporting=False)
    stack = cdk.Stack(app, "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))
    DatabaseBackup(
        stack,
        "Backup",
        instance_arn=INSTANCE,
        encryption_key=kms.Key.from_key_arn(stack, "ImportedKey", KEY),
        daily_retention=cdk.Duration.days(35),
        monthly_retention=cdk.Duration.days(365),
        lock=lock,
        lock_after=cdk.Duration.days(14),
        topic_arn=TOPIC,
        removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    )
    return Template.from_stack(stack)


@pytest.fixture(scope="module")
def template() -> Template:
    return _template()


def _only(template: Template, resource_type: str) -> dict[str, Any]:
    (resource,) = template.find_resources(resource_type).values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def test_the_vault_is_encrypted_with_our_key_and_kept(template: Template) -> None:
    assert _only(template, "AWS::Backup::BackupVault")["EncryptionKeyArn"] == KEY
    template.has_resource(
        "AWS::Backup::BackupVault",
        {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"},
    )


@pytest.mark.parametrize("lock", ["compliance", "governance", "none"])
def test_nobody_deletes_a_copy_or_lets_it_expire_sooner(lock: str) -> None:
    vault = _only(_template(lock), "AWS::Backup::BackupVault")
    (statement,) = vault["AccessPolicy"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Principal"] == {"AWS": "*"}
    assert set(statement["Action"]) == {"backup:DeleteRecoveryPoint", "backup:UpdateRecoveryPointLifecycle"}
    assert "Condition" not in statement


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        ("compliance", {"MinRetentionDays": 35, "MaxRetentionDays": 365, "ChangeableForDays": 14}),
        # Without a date from which on it cannot be changed.
        ("governance", {"MinRetentionDays": 35, "MaxRetentionDays": 365}),
        ("none", None),
    ],
)
def test_the_lock(lock: str, expected: dict[str, int] | None) -> None:
    assert _only(_template(lock), "AWS::Backup::BackupVault").get("LockConfiguration") == expected


def test_copies_are_made_each_day_and_each_month(template: Template) -> None:
    plan = _only(template, "AWS::Backup::BackupPlan")["BackupPlan"]
    rules = {rule["RuleName"]: rule for rule in plan["BackupPlanRule"]}
    assert rules.keys() == {"daily", "monthly"}
    assert plan["BackupPlanName"] == "Stack"
    # Hours after RDS's own backup and its maintenance.
    assert rules["daily"]["ScheduleExpression"] == "cron(0 8 * * ? *)"
    assert rules["monthly"]["ScheduleExpression"] == "cron(0 8 1 * ? *)"
    assert rules["daily"]["Lifecycle"] == {"DeleteAfterDays": 35}
    assert rules["monthly"]["Lifecycle"] == {"DeleteAfterDays": 365}
    (vault,) = template.find_resources("AWS::Backup::BackupVault")
    for rule in rules.values():
        assert rule["TargetBackupVault"] == {"Fn::GetAtt": [vault, "BackupVaultName"]}
        assert rule["ScheduleExpressionTimezone"] == "Etc/UTC"


def test_the_restore_to_a_point_in_time_stays_rdss_own(template: Template) -> None:
    """AWS Backup would change the instance, and CloudFormation could not update it any more."""
    plan = _only(template, "AWS::Backup::BackupPlan")["BackupPlan"]
    for rule in plan["BackupPlanRule"]:
        assert not rule.get("EnableContinuousBackup", False)


def test_the_database_alone_is_selected_by_its_arn(template: Template) -> None:
    selection = _only(template, "AWS::Backup::BackupSelection")["BackupSelection"]
    assert selection["Resources"] == [INSTANCE]
    assert not selection.get("ListOfTags")


def test_the_role_touches_the_database_and_its_copies_alone(template: Template) -> None:
    role = _only(template, "AWS::IAM::Role")
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "backup.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert "ManagedPolicyArns" not in role
    statements = _only(template, "AWS::IAM::Policy")["PolicyDocument"]["Statement"]
    by_action = {
        action: json.dumps(statement["Resource"])
        for statement in statements
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert {action for action, resources in by_action.items() if resources == '"*"'} == {"tag:GetResources"}
    assert INSTANCE in by_action["rds:CreateDBSnapshot"]
    for action in ("rds:DeleteDBSnapshot", "rds:ModifyDBSnapshotAttribute"):
        assert f":rds:{REGION}:{ACCOUNT}:snapshot:awsbackup:*" in by_action[action]
        assert INSTANCE not in by_action[action]
    (grant,) = [each for each in statements if each["Action"] == "kms:CreateGrant"]
    assert grant["Resource"] == KEY
    assert grant["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}


def test_somebody_hears_of_copies_that_fail_or_do_not_come(template: Template) -> None:
    alarms = {
        each["Properties"]["MetricName"]: each["Properties"]
        for each in template.find_resources("AWS::CloudWatch::Alarm").values()
    }
    failed, completed = alarms["NumberOfBackupJobsFailed"], alarms["NumberOfBackupJobsCompleted"]
    assert (failed["ComparisonOperator"], failed["Threshold"]) == ("GreaterThanThreshold", 0)
    assert failed["TreatMissingData"] == "notBreaching"
    assert (completed["ComparisonOperator"], completed["Threshold"]) == ("LessThanThreshold", 1)
    # No job is no figure.
    assert completed["TreatMissingData"] == "breaching"
    assert completed["Period"] * completed["EvaluationPeriods"] == 2 * 86_400
    for alarm in alarms.values():
        assert alarm["Namespace"] == "AWS/Backup"
        assert alarm["AlarmActions"] == [TOPIC]
