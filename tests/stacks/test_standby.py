"""The standby region: what each region's stacks may know of the other, and how everything crosses."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from gatehouse import names
from local.region_switch.plan import plan_of_resource, workflow_of
from local.region_switch.rules import steps_of
from operations.assembly import Stack, read_stacks
from stacks.config.files import environment_names
from stacks.config.load import load_environment
from stacks.config.model import Environment
from tests.stacks.invariants.regions import CROSSINGS, MENTIONS, crossings, mentions, resolved_elsewhere
from tests.stacks.invariants.resource import strings

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

WITH_STANDBY = [name for name in environment_names() if load_environment(name).standby.mode != "none"]
PREFIX = names.standby_stack("")
# One for the environment: it records every region of the account.
PRIMARY_ONLY = {"Audit"}
STANDBY_ONLY = {"Recovery"}


@pytest.fixture(scope="module", params=WITH_STANDBY)
def environment(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def config(environment: str) -> Environment:
    return load_environment(environment)


@pytest.fixture(scope="module")
def assembly(environment: str, assemblies: Callable[[str], "Assembly"]) -> "Assembly":
    return assemblies(environment)


@pytest.fixture(scope="module")
def stacks(assembly: "Assembly") -> dict[str, Stack]:
    return read_stacks(assembly.directory)


def _one(assembly: "Assembly", stack: str, resource_type: str) -> dict[str, Any]:
    """The properties of the stack's one resource of a type."""
    (resource,) = assembly.resources(stack, resource_type).values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def _all(assembly: "Assembly", stack: str, resource_type: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in assembly.resources(stack, resource_type).values()]


def test_production_has_one() -> None:
    assert WITH_STANDBY == ["prod", "prod-eks"]


def test_both_regions_have_the_same_stacks(stacks: dict[str, Stack], config: Environment) -> None:
    ours = {name: stack for name, stack in stacks.items() if not name.startswith("ModelAccess-")}
    standby = {name.removeprefix(PREFIX) for name in ours if name.startswith(PREFIX)}
    primary = {name for name in ours if not name.startswith(PREFIX)}
    assert primary - standby == PRIMARY_ONLY
    assert standby - primary == STANDBY_ONLY
    for name, stack in ours.items():
        expected = config.standby.region if name.startswith(PREFIX) else config.region
        assert (stack.account, stack.region) == (config.account, expected), name


def test_nothing_is_resolved_in_the_other_region(assembly: "Assembly", stacks: dict[str, Stack]) -> None:
    assert resolved_elsewhere(assembly.templates, stacks) == []


@pytest.mark.parametrize(
    ("resource", "report"),
    [
        ({"Type": "Custom::CrossRegionExportReader"}, "New is a Custom::CrossRegionExportReader"),
        ({"Type": "T", "Properties": {"P": {"Fn::GetStackOutput": ["Keys"]}}}, "reads an output of another"),
        ({"Type": "T", "Properties": {"P": {"Fn::ImportValue": "of-another-region"}}}, "imports"),
    ],
)
def test_what_would_be_resolved_there_is_noticed(
    assembly: "Assembly", stacks: dict[str, Stack], resource: dict[str, Any], report: str
) -> None:
    edge = assembly.templates["Edge"] | {"Outputs": {"O": {"Export": {"Name": "of-another-region"}}}}
    network = assembly.templates["Standby-Network"]
    changed = network | {"Resources": network["Resources"] | {"New": resource}}
    templates = {**assembly.templates, "Edge": edge, "Standby-Network": changed}
    (found,) = (wrong for wrong in resolved_elsewhere(templates, stacks) if wrong.startswith("Standby-"))
    assert found.startswith(f"Standby-Network: {report}")


def test_stacks_wait_for_the_other_region_where_something_is_copied_and_nowhere_else(
    stacks: dict[str, Stack],
) -> None:
    assert crossings(stacks) == CROSSINGS.keys()


def _mentions(assembly: "Assembly", config: Environment) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for stack, template in assembly.templates.items():
        if not stack.startswith("ModelAccess-"):
            other = config.region if stack.startswith(PREFIX) else str(config.standby.region)
            found |= {(stack, resource_type) for resource_type in mentions(template, other)}
    return found


def test_the_other_region_is_named_for_a_reason(assembly: "Assembly", config: Environment) -> None:
    assert _mentions(assembly, config) - MENTIONS.keys() == set()


def test_every_reason_is_still_needed(assemblies: Callable[[str], "Assembly"]) -> None:
    found = [_mentions(assemblies(name), load_environment(name)) for name in WITH_STANDBY]
    assert set.union(*found) == MENTIONS.keys()


# What each data set crosses by: asserted on both sides, so that neither can be lost alone.


def test_keys_are_copies_of_the_primary_ones(assembly: "Assembly") -> None:
    primary = _all(assembly, "Keys", "AWS::KMS::Key")
    copies = _all(assembly, "Standby-Keys", "AWS::KMS::ReplicaKey")
    assert [key["MultiRegion"] for key in primary] == [True, True]
    assert {key["Description"] for key in copies} == {key["Description"] for key in primary}
    assert not assembly.resources("Standby-Keys", "AWS::KMS::Key"), "a key of its own decrypts nothing"


def test_the_database_is_a_replica_that_lags_behind_by_less_than_may_be_lost(
    assembly: "Assembly", config: Environment
) -> None:
    primary = _one(assembly, "Data", "AWS::RDS::DBInstance")
    replica = _one(assembly, "Standby-Data", "AWS::RDS::DBInstance")
    source = f":rds:{config.region}:{config.account}:db:{primary['DBInstanceIdentifier']}"
    assert "".join(strings(replica["SourceDBInstanceIdentifier"])).endswith(source)
    # It is promoted as it is.
    for same in ("DBInstanceIdentifier", "DBInstanceClass", "MultiAZ", "DeletionProtection"):
        assert replica[same] == primary[same], same
    (lag,) = (
        alarm
        for alarm in _all(assembly, "Standby-Data", "AWS::CloudWatch::Alarm")
        if _measures(alarm, "ReplicaLag")
    )
    assert lag["Threshold"] == config.standby.recovery_point_seconds
    assert lag["TreatMissingData"] == "breaching", "a replica that tells nothing is none"


def _measures(alarm: Mapping[str, Any], metric: str) -> bool:
    return metric in strings({name: alarm.get(name) for name in ("MetricName", "Metrics")})


def test_every_secret_has_a_copy(assembly: "Assembly", config: Environment) -> None:
    secrets = _all(assembly, "Data", "AWS::SecretsManager::Secret")
    assert secrets
    for secret in secrets:
        (copy,) = secret["ReplicaRegions"]
        assert copy["Region"] == config.standby.region
        assert f":kms:{config.standby.region}:" in "".join(strings(copy["KmsKeyId"]))
    assert not assembly.resources("Standby-Data", "AWS::SecretsManager::Secret"), "it would hash differently"


def test_objects_are_copied_both_ways_within_minutes(assembly: "Assembly", config: Environment) -> None:
    buckets = {
        region: names.object_store(config.name, config.account, region)
        for region in (config.region, str(config.standby.region))
    }
    here, there = (f"arn:aws:s3:::{bucket}" for bucket in buckets.values())
    # The bucket of the standby says so itself. The one of the primary is told once that one is there.
    (back,) = (
        bucket["ReplicationConfiguration"]["Rules"]
        for bucket in _all(assembly, "Standby-Data", "AWS::S3::Bucket")
        if "ReplicationConfiguration" in bucket
    )
    told = _one(assembly, "Standby-Data", "Custom::BucketReplication")
    assert (told["Bucket"], told["Region"]) == (buckets[config.region], config.region)
    forth = json.loads(_filled_in(told["Configuration"]))["Rules"]
    for (rule,), destination in ((forth, there), (back, here)):
        assert rule["Status"] == "Enabled"
        assert rule["Destination"]["Bucket"] == destination
        assert rule["Destination"]["ReplicationTime"] == {"Status": "Enabled", "Time": {"Minutes": 15}}
        assert rule["Destination"]["Metrics"]["Status"] == "Enabled"
        assert rule["DeleteMarkerReplication"] == {"Status": "Enabled"}
        assert rule["SourceSelectionCriteria"]["SseKmsEncryptedObjects"] == {"Status": "Enabled"}
        # Or changes of tags and locks of what came from the other side would stay here.
        assert rule["SourceSelectionCriteria"]["ReplicaModifications"] == {"Status": "Enabled"}
    access_point = _one(assembly, "Standby-Data", "AWS::S3::MultiRegionAccessPoint")
    assert {region["Bucket"] for region in access_point["Regions"]} == set(buckets.values())
    for stack in ("Data", "Standby-Data"):
        alarms = _all(assembly, stack, "AWS::CloudWatch::Alarm")
        for metric in ("ReplicationLatency", "OperationsFailedReplication"):
            assert any(_measures(alarm, metric) for alarm in alarms), (stack, metric)


def _filled_in(value: Any) -> str:
    """A text that is joined of strings and references, whose values do not matter."""
    separator, parts = value["Fn::Join"]
    return str(separator).join(part if isinstance(part, str) else "reference" for part in parts)


def test_users_have_a_replica_that_is_in_use(assembly: "Assembly", config: Environment) -> None:
    replica = _one(assembly, "Identity", "AWS::Cognito::UserPoolReplica")
    assert replica["RegionName"] == config.standby.region
    settings = _one(assembly, "Standby-Identity", "AWS::Cognito::UserPoolRegionalConfigurationAttachment")
    assert settings["Status"] == "ACTIVE"
    domain = _one(assembly, "Identity", "AWS::Cognito::UserPoolDomain")
    assert domain["Routing"]["Failover"]["SecondaryRegion"] == config.standby.region
    assert not assembly.resources("Standby-Identity", "AWS::Cognito::UserPool")


def test_images_are_replicated_into_the_repository_there(assembly: "Assembly", config: Environment) -> None:
    repositories = {
        stack: _one(assembly, stack, "AWS::ECR::Repository")["RepositoryName"]
        for stack in ("Registry", "Standby-Registry")
    }
    assert repositories["Registry"] == repositories["Standby-Registry"]
    replication = _one(assembly, "Registry", "AWS::ECR::ReplicationConfiguration")
    (rule,) = replication["ReplicationConfiguration"]["Rules"]
    assert {"Region": config.standby.region, "RegistryId": config.account} in rule["Destinations"]


# What a program finds by one name in either region: a stack, a type and the property that has the name.
SAME_NAMES = (
    ("Keys", "AWS::KMS::Alias", "AliasName"),
    ("Data", "AWS::RDS::DBInstance", "DBInstanceIdentifier"),
    ("Observability", "AWS::SNS::Topic", "TopicName"),
    ("Registry", "AWS::ECR::Repository", "RepositoryName"),
)


@pytest.mark.parametrize(("stack", "resource_type", "name"), SAME_NAMES)
def test_names_are_the_same_in_both_regions(
    assembly: "Assembly", stack: str, resource_type: str, name: str
) -> None:
    here, there = (
        {properties[name] for properties in _all(assembly, each, resource_type)}
        for each in (stack, names.standby_stack(stack))
    )
    assert here == there != set()


def test_callers_are_led_by_two_records_that_the_plan_decides_on(
    assembly: "Assembly", config: Environment
) -> None:
    regions = {"Edge": config.region, "Standby-Edge": str(config.standby.region)}
    for (stack, region), role in zip(regions.items(), ("PRIMARY", "SECONDARY"), strict=True):
        records = _all(assembly, stack, "AWS::Route53::RecordSet")
        (public,) = (record for record in records if record["Name"] == f"{config.edge.domain_name}.")
        assert public["Failover"] == role
        assert public["AliasTarget"]["EvaluateTargetHealth"] is True
        # It leads to the region's own name, which is as healthy as what Route 53 sees there.
        (own,) = (record for record in records if record["Name"] != public["Name"])
        assert public["AliasTarget"]["HostedZoneId"] == config.edge.hosted_zone_id
        check = assembly.templates[stack]["Resources"][own["HealthCheckId"]["Ref"]]["Properties"]
        assert check["HealthCheckConfig"]["FullyQualifiedDomainName"] == own["Name"].rstrip(".")
        assert check["HealthCheckConfig"]["ResourcePath"] == "/health/live"
        # The health check's ID is asked of the plan's stack, once.
        logical_id, attribute = public["HealthCheckId"]["Fn::GetAtt"]
        asked = assembly.templates[stack]["Resources"][logical_id]["Properties"]
        assert asked["StackName"] == f"gatehouse-{config.name}-Standby-Recovery"
        assert attribute in asked["Outputs"]
        assert attribute == names.health_check_output(region)
        # And each region keeps a name of its own.
        assert own["Name"] == f"{names.regional_domain(config.edge.domain_name, region)}."
        assert "Failover" not in own


def test_the_plan_is_one_that_region_switch_takes(assembly: "Assembly", config: Environment) -> None:
    properties = _one(assembly, "Standby-Recovery", "AWS::ARCRegionSwitch::Plan")
    plan = plan_of_resource(_without_references(properties))
    regions = [config.region, config.standby.region]
    assert plan["regions"] == regions
    assert plan["primaryRegion"] == config.region
    assert plan["recoveryTimeObjectiveMinutes"] == config.standby.recovery_time_minutes
    assert "triggers" not in plan, "a person begins what cannot be taken back"
    for region in regions:
        workflow = workflow_of(plan, action="activate", region=str(region))
        assert workflow is not None
        steps = [step["name"] for step in steps_of(workflow)]
        assert steps.index("fence-old-region") < steps.index("promote-database") < steps.index("verify")
    assert workflow_of(plan, action="postRecovery", region=config.region) is not None


def _without_references(value: Any) -> Any:
    if isinstance(value, Mapping):
        if any(name == "Ref" or name.startswith("Fn::") for name in value):
            return "arn:aws:iam::111111111111:role/reference"
        return {name: _without_references(inner) for name, inner in value.items()}
    return [_without_references(inner) for inner in value] if isinstance(value, list) else value
