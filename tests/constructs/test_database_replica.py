"""The database's replica, as an auditor would read its template: what is promoted is production at once."""

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds

from gatehouse.database import Database
from gatehouse.database_alarms import ReplicaAlarm, ReplicationSlotAlarm
from gatehouse.database_replica import DatabaseReplica
from gatehouse.keys import CopyRegion
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.directories import KEY_ARN, Resources, new_stack

SOURCE_REGION = "us-east-1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:gatehouse-test-alarms"
COPIES = CopyRegion(region="us-west-2", key_arn=f"arn:aws:kms:us-west-2:{ACCOUNT}:key/mrk-1")
INSTANCE = "AWS::RDS::DBInstance"


def _common(stack: cdk.Stack) -> dict[str, Any]:
    key = kms.Key.from_key_arn(stack, "ImportedKey", KEY_ARN)
    return {
        "vpc": ec2.Vpc.from_vpc_attributes(
            stack,
            "ImportedVpc",
            vpc_id="vpc-1",
            availability_zones=["eu-central-1a", "eu-central-1b"],
            isolated_subnet_ids=["subnet-data-a", "subnet-data-b"],
            isolated_subnet_names=["data"],
        ),
        "subnets": ec2.SubnetSelection(subnet_group_name="data"),
        "security_group": ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1", mutable=False),
        "encryption_key": key,
        "log_key": key,
        "log_retention": logs.RetentionDays.ONE_MONTH,
        "instance_identifier": "gatehouse-test",
        "instance_class": "m7g.large",
        "database_name": "gatehouse",
        "storage_limit_gib": 100,
        "multi_az": True,
        "backup_retention": cdk.Duration.days(35),
        "in_backup_plan": True,
        "deletion_protection": True,
        "removal_policy": cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        "kept_for_replica_mib": 25600,
    }


@pytest.fixture(scope="module")
def resources() -> Resources:
    """A replica whose lag is watched, and a role that may sign in to it."""
    stack = new_stack()
    replica = DatabaseReplica(
        stack,
        "Database",
        source_region=SOURCE_REGION,
        source_identifier="gatehouse-test",
        **_common(stack),
    )
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    replica.instance.grant_connect(role, "reader")
    assert (replica.name, replica.owner) == ("gatehouse", "gatehouse")
    ReplicaAlarm(
        stack,
        "Replication",
        replica=replica.instance,
        recovery_point=cdk.Duration.seconds(30),
        topic_arn=TOPIC,
        is_replica=True,
    )
    return Resources(stack)


@pytest.fixture(scope="module")
def primary() -> Resources:
    """A database that is copied."""
    stack = new_stack()
    database = Database(stack, "Database", storage_gib=100, copies=COPIES, **_common(stack))
    ReplicationSlotAlarm(stack, "Replication", source=database.instance, limit_mib=25600, topic_arn=TOPIC)
    return Resources(stack)


@pytest.fixture(scope="module")
def instance(resources: Resources) -> dict[str, Any]:
    (instance,) = resources.properties(INSTANCE)
    return instance


def _parameters(resources: Resources) -> dict[str, str]:
    (group,) = resources.properties("AWS::RDS::DBParameterGroup")
    parameters: dict[str, str] = group["Parameters"]
    return parameters


def test_it_follows_the_instance_of_that_name_in_the_other_region(instance: dict[str, Any]) -> None:
    source = f"arn:aws:rds:{SOURCE_REGION}:{ACCOUNT}:db:gatehouse-test"
    assert instance["SourceDBInstanceIdentifier"] == source
    # Without it CloudFormation signs no request for that region, and RDS copies no encrypted database.
    assert instance["SourceRegion"] == SOURCE_REGION
    assert instance["DBInstanceIdentifier"] == "gatehouse-test"


def test_what_a_replica_has_of_its_source_is_not_said_again(instance: dict[str, Any]) -> None:
    """CloudFormation refuses some of it, and ignores the rest."""
    assert not instance.keys() & {
        "AllocatedStorage",
        "DBName",
        "Engine",
        "EngineVersion",
        "ManageMasterUserPassword",
        "MasterUserPassword",
        "MasterUsername",
        "StorageEncrypted",
    }


def test_it_is_encrypted_with_the_key_of_its_own_region(instance: dict[str, Any]) -> None:
    assert instance["KmsKeyId"] == KEY_ARN
    assert instance["PerformanceInsightsKMSKeyId"] == KEY_ARN


def test_everything_else_is_as_the_primary_has_it(instance: dict[str, Any], primary: Resources) -> None:
    """Else a promotion would have to be followed by changes, at the worst time."""
    (source,) = primary.properties(INSTANCE)
    differing = {
        name
        for name in source.keys() | instance.keys()
        if source.get(name) != instance.get(name) and name not in {"DBSubnetGroupName", "MonitoringRoleArn"}
    }
    assert differing == {
        # Told by the source.
        "AllocatedStorage",
        "DBName",
        "Engine",
        "EngineVersion",
        "MasterUserAuthenticationType",
        "MasterUsername",
        "StorageEncrypted",
        "SourceDBInstanceIdentifier",
        "SourceRegion",
        # The primary's own.
        "AutomaticBackupReplicationKmsKeyId",
        "AutomaticBackupReplicationRegion",
        "AutomaticBackupReplicationRetentionPeriod",
        "PreferredMaintenanceWindow",
    }


def test_it_can_be_restored_from_its_first_day_as_a_primary_on(instance: dict[str, Any]) -> None:
    assert instance["BackupRetentionPeriod"] == 35
    assert instance["MultiAZ"] is True
    assert instance["DeletionProtection"] is True
    assert instance["DeleteAutomatedBackups"] is False


def test_a_replica_gets_new_versions_before_its_source(instance: dict[str, Any], primary: Resources) -> None:
    """PostgreSQL's own order: who receives can read what an older version writes, not the reverse."""
    (source,) = primary.properties(INSTANCE)
    assert instance["PreferredMaintenanceWindow"].startswith("sat:")
    assert source["PreferredMaintenanceWindow"].startswith("sun:")


def test_queries_hold_up_replication_for_less_than_may_be_lost(
    resources: Resources, primary: Resources
) -> None:
    own = _parameters(resources)
    assert int(own["max_standby_streaming_delay"]) <= 5000
    # Without a limit a replica that is away would fill its source's storage.
    assert own["max_slot_wal_keep_size"] == "25600"
    # After a failover it is the source, and the primary made anew is the replica.
    assert own == _parameters(primary)


def test_a_principal_signs_in_to_the_replica_itself(resources: Resources) -> None:
    policies = resources.properties("AWS::IAM::Policy")
    statements = [s for policy in policies for s in policy["PolicyDocument"]["Statement"]]
    (connect,) = (s for s in statements if s["Action"] == "rds-db:connect")
    assert f":rds-db:{REGION}:{ACCOUNT}:dbuser:" in json.dumps(connect["Resource"])
    *_, resource_id, user = connect["Resource"]["Fn::Join"][1]
    assert resource_id["Fn::GetAtt"][1] == "DbiResourceId"
    assert user == "/reader"


def test_it_is_kept_with_what_it_uses(resources: Resources) -> None:
    kept = {INSTANCE, "AWS::RDS::DBParameterGroup", "AWS::RDS::DBSubnetGroup"}
    found = [r for r in resources.by_id.values() if r["Type"] in kept]
    assert len(found) == 3
    for resource in found:
        assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resource["UpdateReplacePolicy"] == "Retain"


def test_its_logs_are_there_before_it_is(resources: Resources) -> None:
    (instance,) = (r for r in resources.by_id.values() if r["Type"] == INSTANCE)
    groups = {name for name, r in resources.by_id.items() if r["Type"] == "AWS::Logs::LogGroup"}
    assert len(groups) == 2
    assert groups <= set(instance["DependsOn"])


def test_somebody_hears_of_a_lag_beyond_the_objective_and_of_silence(resources: Resources) -> None:
    (alarm,) = resources.properties("AWS::CloudWatch::Alarm")
    assert (alarm["MetricName"], alarm["Threshold"]) == ("ReplicaLag", 30)
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["Statistic"]) == (60, 3, "Maximum")
    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
    assert "standby.recovery_point_seconds" in alarm["AlarmDescription"]


def test_backups_are_kept_in_the_other_region_too(primary: Resources) -> None:
    (source,) = primary.properties(INSTANCE)
    assert source["AutomaticBackupReplicationRegion"] == COPIES.region
    assert source["AutomaticBackupReplicationKmsKeyId"] == COPIES.key_arn
    assert source["AutomaticBackupReplicationRetentionPeriod"] == 7


def test_somebody_hears_of_a_replica_that_fetches_nothing_before_it_is_given_up(primary: Resources) -> None:
    (alarm,) = primary.properties("AWS::CloudWatch::Alarm")
    assert alarm["MetricName"] == "OldestReplicationSlotLag"
    assert alarm["Threshold"] == 25600 * 1024**2 // 2  # bytes
    assert alarm["AlarmActions"] == [TOPIC]


def test_rds_keeps_no_snapshot_of_a_replica_that_may_be_removed() -> None:
    """It makes none of replicas, so that CloudFormation could not remove one for which it shall."""
    stack = new_stack()
    common = _common(stack) | {"removal_policy": cdk.RemovalPolicy.DESTROY}
    replica = DatabaseReplica(
        stack, "Database", source_region=SOURCE_REGION, source_identifier="gatehouse-test", **common
    )
    assert isinstance(replica.instance.node.default_child, rds.CfnDBInstance)
    (instance,) = (r for r in Resources(stack).by_id.values() if r["Type"] == INSTANCE)
    assert instance["DeletionPolicy"] == "Delete"
    assert instance["Properties"]["DeleteAutomatedBackups"] is True
