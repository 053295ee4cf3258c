"""Keys and data in two regions: what one has, the other one gets, and finds without asking."""

import json
import re
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from gatehouse import names
from stacks.config.load import load_configuration
from stacks.keys import KeysStack
from stacks.network import NetworkStack
from stacks.replicated_data import ReplicatedDataStack
from stacks.standby import StandbyEnvironment, standby_environment
from tests.synthesis import FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stacks.conftest import Assembly

STANDBY = "Standby-"
ALARM, SECRET = "AWS::CloudWatch::Alarm", "AWS::SecretsManager::Secret"
ACCOUNT, PRIMARY_REGION, STANDBY_REGION = "333333333333", "us-east-1", "us-west-2"


def _only(assembly: "Assembly", stack: str, resource_type: str) -> dict[str, Any]:
    (resource,) = assembly.resources(stack, resource_type).values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def test_what_a_stack_asks_another_region_for_is_told_there(production: "Assembly") -> None:
    asked = [
        resource["Properties"]
        for template in production.templates.values()
        for resource in template["Resources"].values()
        if resource["Type"] == "Custom::OtherRegionOutputs"
    ]
    assert len(asked) >= 2
    for properties in asked:
        stack = properties["StackName"].removeprefix("gatehouse-prod-")
        assert properties["Region"] == (STANDBY_REGION if stack.startswith(STANDBY) else PRIMARY_REGION)
        assert set(properties["Outputs"]) <= production.templates[stack]["Outputs"].keys()


def test_the_keys_of_the_standby_are_copies(production: "Assembly") -> None:
    copies = production.resources("Standby-Keys", "AWS::KMS::ReplicaKey").values()
    originals = {
        resource["Properties"]["PrimaryKeyArn"]["Fn::GetAtt"][1]: resource["Properties"]["Description"]
        for resource in copies
    }
    assert originals == {"DataKeyArn": "Gatehouse: data at rest", "LogKeyArn": "Gatehouse: log groups"}
    assert production.resources("Standby-Keys", "AWS::KMS::Key") == {}


def test_secrets_are_made_once_and_copied_under_the_standby_s_key(production: "Assembly") -> None:
    """With a name of its own a secret that is there already would be replaced, and every API key invalid."""
    secrets = production.resources("Data", SECRET).values()
    assert len(secrets) == 2
    for secret in secrets:
        (copy,) = secret["Properties"]["ReplicaRegions"]
        assert copy["Region"] == STANDBY_REGION
        assert f":kms:{STANDBY_REGION}:" in str(copy["KmsKeyId"])
        assert "Name" not in secret["Properties"]
    assert production.resources("Standby-Data", SECRET) == {}


def test_the_standby_s_tasks_read_the_copies_in_their_own_region(production: "Assembly") -> None:
    definitions = production.resources("Standby-Service", "AWS::ECS::TaskDefinition").values()
    used = [
        json.dumps(secret["ValueFrom"])
        for definition in definitions
        for container in definition["Properties"]["ContainerDefinitions"]
        for secret in container.get("Secrets", ())
    ]
    assert used
    for reference in used:
        assert f":secretsmanager:{STANDBY_REGION}:" in reference or "Standby-Data" in reference
    exported = json.dumps(production.templates["Standby-Data"]["Outputs"])
    assert f"arn:aws:secretsmanager:{STANDBY_REGION}:{ACCOUNT}:secret:" in exported


def test_the_database_crosses_by_a_replica_and_by_its_backups(production: "Assembly") -> None:
    primary = _only(production, "Data", "AWS::RDS::DBInstance")
    replica = _only(production, "Standby-Data", "AWS::RDS::DBInstance")
    instance = primary["DBInstanceIdentifier"]
    assert replica["SourceDBInstanceIdentifier"] == f"arn:aws:rds:{PRIMARY_REGION}:{ACCOUNT}:db:{instance}"
    assert replica["DBInstanceClass"] == primary["DBInstanceClass"]
    assert primary["AutomaticBackupReplicationRegion"] == STANDBY_REGION
    assert f":kms:{STANDBY_REGION}:" in str(primary["AutomaticBackupReplicationKmsKeyId"])


def test_an_environment_gets_a_standby_while_its_gateways_import_what_they_did_before(
    production: "Assembly", assemblies: "Callable[[str], Assembly]"
) -> None:
    """CloudFormation keeps each output until nobody imports it; staging, without a standby, tells which."""

    def exported(assembly: "Assembly") -> set[str]:
        outputs = assembly.templates["Data"]["Outputs"]
        return {name for name, output in outputs.items() if "Export" in output}

    assert exported(assemblies("staging")) <= exported(production)


def test_both_regions_hear_of_replication_for_either_may_have_the_source(production: "Assembly") -> None:
    silence = {}
    for stack in ("Data", "Standby-Data"):
        alarms = [alarm["Properties"] for alarm in production.resources(stack, ALARM).values()]
        (slot,) = (alarm for alarm in alarms if alarm.get("MetricName") == "OldestReplicationSlotLag")
        assert slot["TreatMissingData"] == "notBreaching"
        (lag,) = (alarm for alarm in alarms if alarm.get("MetricName") == "ReplicaLag")
        silence[stack] = lag["TreatMissingData"]
    # The primary is no replica until there was a failover and it follows the other region.
    assert silence == {"Data": "notBreaching", "Standby-Data": "breaching"}


def test_each_region_s_database_has_locked_copies_in_that_region(production: "Assembly") -> None:
    """A vault in a region that is lost is of no use, and a promoted database needs its own from then on."""
    for stack, region in (("Backup", PRIMARY_REGION), ("Standby-Backup", STANDBY_REGION)):
        assert "LockConfiguration" in _only(production, stack, "AWS::Backup::BackupVault")
        selection = _only(production, stack, "AWS::Backup::BackupSelection")["BackupSelection"]
        assert selection["Resources"] == [f"arn:aws:rds:{region}:{ACCOUNT}:db:gatehouse-prod"]


def test_objects_are_copied_both_ways(production: "Assembly") -> None:
    here = names.object_store("prod", ACCOUNT, PRIMARY_REGION)
    there = names.object_store("prod", ACCOUNT, STANDBY_REGION)
    stores = {
        stack: next(
            resource["Properties"]
            for name, resource in production.resources(stack, "AWS::S3::Bucket").items()
            if name.startswith("ObjectStore")
        )
        for stack in ("Data", "Standby-Data")
    }
    for store, region in ((stores["Data"], PRIMARY_REGION), (stores["Standby-Data"], STANDBY_REGION)):
        named = f"{store['BucketNamePrefix']}-{ACCOUNT}-{region}-an"
        assert named == names.object_store("prod", ACCOUNT, region)
    (back,) = stores["Standby-Data"]["ReplicationConfiguration"]["Rules"]
    assert back["Destination"]["Bucket"] == f"arn:aws:s3:::{here}"
    # S3 refuses a bucket that does not exist yet: the standby's stack sets this direction.
    assert "ReplicationConfiguration" not in stores["Data"]
    forth = _only(production, "Standby-Data", "Custom::BucketReplication")
    assert (forth["Bucket"], forth["Region"]) == (here, PRIMARY_REGION)
    assert f"arn:aws:s3:::{there}" in json.dumps(forth["Configuration"])


def test_bucket_names_fit_for_every_environment_and_region() -> None:
    longest = names.object_store(14 * "e", ACCOUNT, "ap-southeast-2")
    assert re.fullmatch(r"[a-z0-9-]{3,63}", longest)


@pytest.fixture(scope="module")
def cold() -> ReplicatedDataStack:
    """The data of a standby in which no gateway runs."""
    config, catalog = load_configuration("prod")
    standby = config.standby.model_copy(update={"mode": "cold"})
    here = standby_environment(config.model_copy(update={"standby": standby}))
    assert isinstance(here, StandbyEnvironment)
    app = cdk.App(context=FLAGS, builtin_cloud_formation_validation=False, analytics_reporting=False)
    stage = cdk.Stage(app, names.stage(here.name))
    keys = KeysStack(stage, "Standby-Keys", config=here)
    network = NetworkStack(stage, "Standby-Network", config=here, catalog=catalog, log_key=keys.log_key)
    return ReplicatedDataStack(
        stage,
        "Standby-Data",
        config=here,
        network=network.network,
        security_groups=network.security_groups,
        data_key=keys.data_key,
        log_key=keys.log_key,
    )


def test_a_cold_standby_has_the_data_and_no_cache(cold: ReplicatedDataStack) -> None:
    template = Template.from_stack(cold)
    template.resource_count_is("AWS::RDS::DBInstance", 1)
    template.resource_count_is("AWS::ElastiCache::ReplicationGroup", 0)
    template.resource_count_is("AWS::S3::MultiRegionAccessPoint", 1)
    with pytest.raises(ValueError, match="Standby-Data has no cache: no gateway runs in a cold standby"):
        _ = cold.cache
