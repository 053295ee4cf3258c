"""The database, as an auditor would read its template."""

import json
import re
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from gatehouse.database import Database
from tests.constructs.conftest import ACCOUNT, REGION, ROOT

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/imported"
DATABASE_USERS = f"arn:aws:rds-db:{REGION}:{ACCOUNT}:dbuser:"


def _stack() -> cdk.Stack:
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = cdk.App(context=context, builtin_cloud_formation_validation=False, analytics_reporting=False)
    return cdk.Stack(app, "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))


def _database(stack: cdk.Stack, removal_policy: cdk.RemovalPolicy) -> Database:
    key = kms.Key.from_key_arn(stack, "ImportedKey", KEY)
    return Database(
        stack,
        "Database",
        vpc=ec2.Vpc.from_vpc_attributes(
            stack,
            "ImportedVpc",
            vpc_id="vpc-1",
            availability_zones=["eu-central-1a", "eu-central-1b"],
            isolated_subnet_ids=["subnet-data-a", "subnet-data-b"],
            isolated_subnet_names=["data"],
        ),
        subnets=ec2.SubnetSelection(subnet_group_name="data"),
        security_group=ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1", mutable=False),
        encryption_key=key,
        log_key=key,
        log_retention=logs.RetentionDays.ONE_MONTH,
        instance_identifier="gatehouse-test",
        instance_class="t4g.medium",
        database_name="gatehouse",
        storage_gib=20,
        storage_limit_gib=100,
        multi_az=True,
        backup_retention=cdk.Duration.days(7),
        in_backup_plan=True,
        deletion_protection=True,
        removal_policy=removal_policy,
    )


@pytest.fixture(scope="module")
def template() -> Template:
    """A protected database, and a role that may sign in as its owner."""
    stack = _stack()
    database = _database(stack, cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    database.instance.grant_connect(role, database.owner)
    return Template.from_stack(stack)


def _all(template: Template, resource_type: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in template.find_resources(resource_type).values()]


@pytest.fixture(scope="module")
def instance(template: Template) -> dict[str, Any]:
    (instance,) = _all(template, "AWS::RDS::DBInstance")
    return instance


def test_nobody_has_a_password(template: Template, instance: dict[str, Any]) -> None:
    assert instance["MasterUsername"] == "gatehouse"
    assert instance["MasterUserAuthenticationType"] == "iam-db-auth"
    assert instance["EnableIAMDatabaseAuthentication"] is True
    assert not instance.keys() & {
        "MasterUserPassword",
        "ManageMasterUserPassword",
        "MasterUserSecret",
    }
    assert _all(template, "AWS::SecretsManager::Secret") == []


def test_a_principal_signs_in_to_this_instance_as_one_user(template: Template) -> None:
    policies = [statement for p in _all(template, "AWS::IAM::Policy") for statement in _statements(p)]
    (connect,) = [statement for statement in policies if statement["Action"] == "rds-db:connect"]
    *_, resource_id, user = connect["Resource"]["Fn::Join"][1]
    assert connect["Resource"]["Fn::Join"][1][-3].endswith(DATABASE_USERS.partition("aws")[2])
    assert resource_id["Fn::GetAtt"][1] == "DbiResourceId"
    assert user == "/gatehouse"


def _statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return statements


def test_it_is_encrypted_with_our_key_at_rest(instance: dict[str, Any]) -> None:
    assert instance["StorageEncrypted"] is True
    assert instance["KmsKeyId"] == KEY
    assert instance["PerformanceInsightsKMSKeyId"] == KEY


def test_tls_is_forced_by_a_certificate_that_lasts(template: Template, instance: dict[str, Any]) -> None:
    parameters = _parameters(template)
    assert parameters["rds.force_ssl"] == "1"
    assert parameters["ssl_min_protocol_version"] == "TLSv1.2"
    assert instance["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"


def _parameters(template: Template) -> dict[str, str]:
    (group,) = _all(template, "AWS::RDS::DBParameterGroup")
    parameters: dict[str, str] = group["Parameters"]
    assert group["Family"] == "postgres18"
    return parameters


def test_the_engine_stays_current_within_a_major_version(instance: dict[str, Any]) -> None:
    assert instance["EngineVersion"] == "18"
    assert instance["AutoMinorVersionUpgrade"] is True
    assert instance.get("AllowMajorVersionUpgrade", False) is False


def test_what_is_logged_holds_no_value_of_a_statement(template: Template) -> None:
    parameters = _parameters(template)
    assert parameters["log_statement"] == "ddl"
    assert int(parameters["log_min_duration_statement"]) > 0
    assert parameters["log_parameter_max_length"] == "0"
    assert parameters["log_parameter_max_length_on_error"] == "0"
    assert parameters["log_disconnections"] == "1"


def test_no_session_holds_locks_for_ever(template: Template) -> None:
    parameters = _parameters(template)
    assert 0 < int(parameters["idle_in_transaction_session_timeout"]) <= 60_000
    # As long as a step of the migrations may take.
    assert int(parameters["statement_timeout"]) == 900_000


def test_it_is_private(template: Template, instance: dict[str, Any]) -> None:
    assert instance["PubliclyAccessible"] is False
    assert instance["VPCSecurityGroups"] == ["sg-1"]
    (subnets,) = _all(template, "AWS::RDS::DBSubnetGroup")
    assert subnets["SubnetIds"] == ["subnet-data-a", "subnet-data-b"]


def test_it_survives_a_zone_and_an_operator(instance: dict[str, Any]) -> None:
    assert instance["MultiAZ"] is True
    assert instance["DeletionProtection"] is True
    assert instance["BackupRetentionPeriod"] == 7
    assert instance["DeleteAutomatedBackups"] is False
    assert instance["CopyTagsToSnapshot"] is True


def test_storage_is_gp3_and_grows(instance: dict[str, Any]) -> None:
    assert instance["StorageType"] == "gp3"
    assert (instance["AllocatedStorage"], instance["MaxAllocatedStorage"]) == ("20", 100)


def test_backup_and_maintenance_do_not_meet(instance: dict[str, Any]) -> None:
    """RDS refuses windows that overlap; they are in UTC."""
    begins, ends = (_minutes(time) for time in instance["PreferredBackupWindow"].split("-"))
    maintenance = re.findall(r"\d\d:\d\d", instance["PreferredMaintenanceWindow"])
    first, last = (_minutes(time) for time in maintenance)
    assert ends - begins >= 30
    assert last - first >= 30
    assert ends <= first or last <= begins


def _minutes(time: str) -> int:
    hours, _, minutes = time.partition(":")
    return int(hours) * 60 + int(minutes)


def test_it_is_watched_each_minute_by_a_role_of_its_own(template: Template, instance: dict[str, Any]) -> None:
    assert instance["EnablePerformanceInsights"] is True
    assert instance["MonitoringInterval"] == 60
    roles = template.find_resources("AWS::IAM::Role")
    trust = roles[instance["MonitoringRoleArn"]["Fn::GetAtt"][0]]["Properties"]["AssumeRolePolicyDocument"]
    (statement,) = trust["Statement"]
    assert statement["Principal"] == {"Service": "monitoring.rds.amazonaws.com"}
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    source = json.dumps(statement["Condition"]["ArnEquals"]["aws:SourceArn"])
    assert f":rds:{REGION}:{ACCOUNT}:db:gatehouse-test" in source


def test_the_instance_waits_for_the_permissions_of_that_role(template: Template) -> None:
    """RDS tries the role when it creates the instance, and refuses one that cannot write yet."""
    (instance,) = template.find_resources("AWS::RDS::DBInstance").values()
    role = instance["Properties"]["MonitoringRoleArn"]["Fn::GetAtt"][0]
    policies = template.find_resources("AWS::IAM::Policy")
    of_role = {name for name, policy in policies.items() if {"Ref": role} in policy["Properties"]["Roles"]}
    assert of_role
    assert of_role <= set(instance["DependsOn"])


def test_its_logs_are_encrypted_and_expire(template: Template, instance: dict[str, Any]) -> None:
    log_groups = {group["LogGroupName"]: group for group in _all(template, "AWS::Logs::LogGroup")}
    assert log_groups.keys() == {
        f"/aws/rds/instance/{instance['DBInstanceIdentifier']}/{log}"
        for log in instance["EnableCloudwatchLogsExports"]
    }
    for group in log_groups.values():
        assert group["KmsKeyId"] == KEY
        assert group["RetentionInDays"] == 30


def test_a_protected_instance_and_what_it_uses_are_kept(template: Template) -> None:
    for resource_type in ("DBInstance", "DBParameterGroup", "DBSubnetGroup"):
        template.has_resource(
            f"AWS::RDS::{resource_type}",
            {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"},
        )


def test_removal_leaves_a_snapshot_elsewhere() -> None:
    stack = _stack()
    _database(stack, cdk.RemovalPolicy.DESTROY)
    Template.from_stack(stack).has_resource(
        "AWS::RDS::DBInstance", {"DeletionPolicy": "Snapshot", "UpdateReplacePolicy": "Snapshot"}
    )
