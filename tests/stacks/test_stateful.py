"""What holds data: its logical IDs never change, and it is protected where the environment is."""

import json
from typing import TYPE_CHECKING

from stacks.config.load import load_environment

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

NESTED = "assembly-gatehouse-{}/manifest.json"
STATEFUL_TYPES = {
    "AWS::Backup::BackupVault",
    "AWS::Cognito::UserPool",
    "AWS::ECR::Repository",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::KMS::Key",
    "AWS::KMS::ReplicaKey",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
}
# Another ID means another resource: CloudFormation would create an empty one and remove this one.
STATEFUL = {
    "Audit": {"AccessLogsBucketCD784A59", "TrailBucket6C1E344E"},
    "Keys": {"EncryptionKeysData00D179BE", "EncryptionKeysLogs2DDB25A0"},
    "Data": {
        "AccessLogsBucketCD784A59",
        "BootstrapKeysSecret6736D361",
        "CacheReplicationGroupBFE59FF3",
        "DatabaseInstanceAA8A5FDE",
        "KeyHashingSecret4A08112E",
        "ObjectStoreBucketCFE8051E",
    },
    "Identity": {"UsersUserPool7E610616"},
    "Registry": {"ImagesRepository2D0F5B9C"},
    "Edge": {"AccessLogsBucketCD784A59"},
}
# Where the environment keeps copies of its database.
VAULT = {"Backup": {"DatabaseVaultD3D0CD18"}}
# What the standby region has of it, if there is one: no secrets and no user pool of its own.
STANDBY = {
    "Standby-Keys": {"EncryptionKeysData5BF4736D", "EncryptionKeysLogsE3818FC3"},
    "Standby-Data": {
        "AccessLogsBucketCD784A59",
        "CacheReplicationGroupBFE59FF3",
        "DatabaseInstanceAA8A5FDE",
        "ObjectStoreBucketCFE8051E",
    },
    "Standby-Registry": {"ImagesRepository2D0F5B9C"},
    "Standby-Edge": {"AccessLogsBucketCD784A59"},
    "Standby-Backup": {"DatabaseVaultD3D0CD18"},
}
# Each account and region that serves models, by the beginning of the stack's name.
MODELS = ("ModelAccess-", {"Key9BCD29C7"})
# Rebuilt from other data, so it goes with its stack.
DISPOSABLE = {"CacheReplicationGroupBFE59FF3"}


def test_logical_ids_are_pinned(assembly: "Assembly") -> None:
    found = {
        stack: {
            logical_id
            for logical_id, resource in template["Resources"].items()
            if resource["Type"] in STATEFUL_TYPES
        }
        for stack, template in assembly.templates.items()
    }
    config = load_environment(assembly.environment)
    expected = STATEFUL | (VAULT if config.backup.enabled else {})
    expected |= {} if config.standby_region is None else STANDBY
    prefix, in_models = MODELS
    places = {stack: ids for stack, ids in found.items() if stack.startswith(prefix)}
    assert all(ids in (in_models, set()) for ids in places.values()), places
    assert {stack: ids for stack, ids in found.items() if ids and stack not in places} == expected


def test_data_outlives_its_stack_where_the_environment_is_protected(production: "Assembly") -> None:
    for stack, logical_ids in (STATEFUL | VAULT | STANDBY).items():
        for logical_id in logical_ids - DISPOSABLE:
            resource = production.templates[stack]["Resources"][logical_id]
            assert resource["DeletionPolicy"] in {"Retain", "RetainExceptOnCreate"}, (stack, logical_id)
            assert resource["UpdateReplacePolicy"] == "Retain", (stack, logical_id)


def test_a_failed_first_deployment_leaves_no_name_behind(production: "Assembly") -> None:
    named = {
        "AWS::ECR::Repository": "RepositoryName",
        "AWS::Logs::LogGroup": "LogGroupName",
        "AWS::RDS::DBInstance": "DBInstanceIdentifier",
    }
    for stack, template in production.templates.items():
        for logical_id, resource in template["Resources"].items():
            if named.get(resource["Type"]) in resource.get("Properties", {}):
                assert resource["DeletionPolicy"] == "RetainExceptOnCreate", (stack, logical_id)


def test_stacks_are_protected_as_configured(assembly: "Assembly") -> None:
    manifest = json.loads((assembly.directory / NESTED.format(assembly.environment)).read_text())
    protected = {
        name: artifact["properties"].get("terminationProtection", False)
        for name, artifact in manifest["artifacts"].items()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    assert len(protected) == len(assembly.templates)
    expected = load_environment(assembly.environment).termination_protection
    assert set(protected.values()) == {expected}, protected


def test_dev_can_be_removed(development: "Assembly") -> None:
    kept = {
        (stack, logical_id)
        for stack, template in development.templates.items()
        for logical_id, resource in template["Resources"].items()
        if resource.get("DeletionPolicy") == "Retain"
    }
    assert kept == {
        ("Audit", "AccessLogsBucketCD784A59"),
        ("Audit", "TrailBucket6C1E344E"),
        ("Data", "AccessLogsBucketCD784A59"),
        ("Edge", "AccessLogsBucketCD784A59"),
    }
    assert development.resources("Data", "AWS::RDS::DBInstance")["DatabaseInstanceAA8A5FDE"][
        "DeletionPolicy"
    ] == ("Snapshot")
