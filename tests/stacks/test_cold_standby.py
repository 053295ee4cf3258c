"""A cold standby: all data are copied, and nothing runs until it is needed."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import aws_cdk as cdk
import pytest

from gatehouse import names
from operations.assembly import read_stacks
from stacks.config.load import load_configuration
from stacks.platform import Platform
from stacks.standby import standby_environment
from tests.stacks.conftest import read_assembly
from tests.stacks.invariants.regions import CROSSINGS, crossings, resolved_elsewhere
from tests.synthesis import FLAGS

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

WARM, CATALOG = load_configuration("prod")
COLD = WARM.model_copy(update={"standby": WARM.standby.model_copy(update={"mode": "cold"})})
# What runs gateways, and leads callers to them.
WARM_ONLY = {names.standby_stack(stack) for stack in ("Edge", "Recovery", "Service")}
# Types of the network that cost by the hour.
NETWORK_COSTS = {"AWS::EC2::EIP", "AWS::EC2::NatGateway", "AWS::EC2::VPCEndpoint"}


@pytest.fixture(scope="module")
def cold(tmp_path_factory: pytest.TempPathFactory) -> "Assembly":
    folder = tmp_path_factory.mktemp("cold")
    app = cdk.App(
        context=dict(FLAGS),
        outdir=str(folder),
        analytics_reporting=False,
        builtin_cloud_formation_validation=False,
        tree_metadata=False,
    )
    Platform(app, config=COLD, catalog=CATALOG)
    app.synth()
    return read_assembly("prod", folder)


def test_it_lacks_the_stacks_that_serve_callers(
    cold: "Assembly", assemblies: Callable[[str], "Assembly"]
) -> None:
    assert assemblies("prod").templates.keys() - cold.templates.keys() == WARM_ONLY


def test_it_keeps_copies_of_all_data_and_no_cache(
    cold: "Assembly", assemblies: Callable[[str], "Assembly"]
) -> None:
    stateful = ("AWS::RDS::DBInstance", "AWS::S3::Bucket", "AWS::S3::MultiRegionAccessPoint")
    for resource_type in stateful:
        warm = assemblies("prod").resources("Standby-Data", resource_type)
        assert cold.resources("Standby-Data", resource_type) == warm, resource_type
    assert not cold.resources("Standby-Data", "AWS::ElastiCache::ReplicationGroup")
    for stack in ("Standby-Keys", "Standby-Identity", "Standby-Registry"):
        assert cold.templates[stack]["Resources"] == assemblies("prod").templates[stack]["Resources"], stack


def test_its_network_costs_nothing(cold: "Assembly") -> None:
    network = cold.templates["Standby-Network"]["Resources"].values()
    # The way to S3 is free.
    paid = [
        resource
        for resource in network
        if resource["Type"] in NETWORK_COSTS and resource["Properties"].get("VpcEndpointType") != "Gateway"
    ]
    assert paid == []


def test_it_stands_alone_as_a_warm_one_does(cold: "Assembly") -> None:
    stacks = read_stacks(cold.directory)
    assert resolved_elsewhere(cold.templates, stacks) == []
    assert crossings(stacks) < CROSSINGS.keys()


def test_callers_can_be_led_away_without_a_change_in_the_primary_region(cold: "Assembly") -> None:
    # The lost region's stacks cannot be updated: its record has to take a second one beside it already.
    records = cold.resources("Edge", "AWS::Route53::RecordSet").values()
    (public,) = (record["Properties"] for record in records if "Failover" in record["Properties"])
    assert public["Name"] == f"{COLD.edge.domain_name}."
    assert public["Failover"] == "PRIMARY"
    assert public["AliasTarget"]["EvaluateTargetHealth"] is True
    assert "HealthCheckId" not in public, "there is no plan yet that could decide"


def test_once_active_it_is_a_warm_one() -> None:
    active, warm = standby_environment(COLD, active=True), standby_environment(WARM)
    assert active is not None
    assert warm is not None
    assert active.model_dump(exclude={"primary"}) == warm.model_dump(exclude={"primary"})
    assert active.runs_gateways
