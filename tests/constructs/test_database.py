from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from gatehouse.database import Database
from tests.constructs.conftest import Properties


def _database(
    stack: cdk.Stack,
    vpc: ec2.IVpc,
    security_group: ec2.ISecurityGroup,
    key: kms.IKey,
    removal_policy: cdk.RemovalPolicy,
) -> Database:
    return Database(
        stack,
        "Database",
        vpc=vpc,
        subnets=ec2.SubnetSelection(subnet_group_name="data"),
        security_group=security_group,
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
        deletion_protection=True,
        removal_policy=removal_policy,
    )


@pytest.fixture
def database(stack: cdk.Stack, vpc: ec2.IVpc, security_group: ec2.ISecurityGroup, key: kms.IKey) -> Database:
    return _database(stack, vpc, security_group, key, cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)


@pytest.fixture
def instance(database: Database, properties: Properties) -> dict[str, Any]:
    (instance,) = properties("AWS::RDS::DBInstance")
    return instance


def test_it_is_encrypted_with_our_key_at_rest_and_wants_tls(
    instance: dict[str, Any], properties: Properties, key: kms.IKey
) -> None:
    assert instance["StorageEncrypted"] is True
    assert instance["KmsKeyId"] == key.key_arn
    assert instance["PerformanceInsightsKMSKeyId"] == key.key_arn
    (parameters,) = properties("AWS::RDS::DBParameterGroup")
    assert parameters["Parameters"] == {"rds.force_ssl": "1"}


def test_it_is_private(instance: dict[str, Any], properties: Properties) -> None:
    assert instance["PubliclyAccessible"] is False
    assert instance["VPCSecurityGroups"] == ["sg-1"]
    (subnets,) = properties("AWS::RDS::DBSubnetGroup")
    assert subnets["SubnetIds"] == ["subnet-data-a", "subnet-data-b"]


def test_it_survives_a_zone_and_an_operator(instance: dict[str, Any]) -> None:
    assert instance["MultiAZ"] is True
    assert instance["DeletionProtection"] is True
    assert instance["BackupRetentionPeriod"] == 7
    assert instance["DeleteAutomatedBackups"] is False
    assert instance["AutoMinorVersionUpgrade"] is True
    assert instance["StorageType"] == "gp3"


def test_its_password_is_generated_and_never_in_the_template(
    instance: dict[str, Any], properties: Properties, key: kms.IKey
) -> None:
    (secret,) = properties("AWS::SecretsManager::Secret")
    assert secret["KmsKeyId"] == key.key_arn
    assert secret["GenerateSecretString"]["GenerateStringKey"] == "password"
    assert "resolve:secretsmanager" in str(instance["MasterUserPassword"])
    assert instance["EnableIAMDatabaseAuthentication"] is True


def test_its_logs_are_encrypted_and_expire(
    instance: dict[str, Any], properties: Properties, key: kms.IKey
) -> None:
    log_groups = {group["LogGroupName"]: group for group in properties("AWS::Logs::LogGroup")}
    assert log_groups.keys() == {
        f"/aws/rds/instance/{instance['DBInstanceIdentifier']}/{log}"
        for log in instance["EnableCloudwatchLogsExports"]
    }
    for group in log_groups.values():
        assert group["KmsKeyId"] == key.key_arn
        assert group["RetentionInDays"] == 30


@pytest.mark.parametrize(
    ("removal_policy", "deletion_policy"),
    [
        (cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE, "RetainExceptOnCreate"),
        (cdk.RemovalPolicy.DESTROY, "Snapshot"),
    ],
)
def test_removal_keeps_the_instance_or_a_snapshot(
    stack: cdk.Stack,
    vpc: ec2.IVpc,
    security_group: ec2.ISecurityGroup,
    key: kms.IKey,
    removal_policy: cdk.RemovalPolicy,
    deletion_policy: str,
) -> None:
    _database(stack, vpc, security_group, key, removal_policy)
    Template.from_stack(stack).has_resource(
        "AWS::RDS::DBInstance",
        {
            "DeletionPolicy": deletion_policy,
            "UpdateReplacePolicy": deletion_policy.removesuffix("ExceptOnCreate"),
            "Properties": {"MaxAllocatedStorage": 100},
        },
    )


def test_what_a_kept_instance_uses_is_kept_too(database: Database, stack: cdk.Stack) -> None:
    for resource_type in ("AWS::RDS::DBParameterGroup", "AWS::RDS::DBSubnetGroup"):
        Template.from_stack(stack).has_resource(resource_type, {"DeletionPolicy": "RetainExceptOnCreate"})
