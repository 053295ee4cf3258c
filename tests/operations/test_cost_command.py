"""The estimate of a month: what counts, how it is summed, and that nothing is left out unseen."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from operations.assembly import Resource, Stack, read_stacks
from operations.cost.estimate import Estimate, estimate
from operations.cost.prices import read_prices
from operations.cost.traffic import Traffic
from operations.errors import WrongUsageError
from tests.operations.conftest import Run

PRICES = read_prices()
QUIET = Traffic(requests=0, people=0, image_gb=0, nat_gb=0, backup_gb=0)
HOURS = 730


def _estimate(traffic: Traffic = QUIET, **resources: tuple[str, dict[str, Any]]) -> Estimate:
    found = {name: Resource(kind, properties) for name, (kind, properties) in resources.items()}
    return estimate({"Stack": Stack("Stack", (), found)}, PRICES, traffic)


def test_a_database_in_two_zones_is_paid_twice() -> None:
    def database(multi_az: bool) -> Estimate:
        properties = {"DBInstanceClass": "db.m7g.large", "AllocatedStorage": "100", "MultiAZ": multi_az}
        return _estimate(Database=("AWS::RDS::DBInstance", properties))

    assert database(multi_az=False).usd == pytest.approx(0.168 * HOURS + 0.115 * 100)
    assert database(multi_az=True).usd == pytest.approx(2 * database(multi_az=False).usd)


def test_each_node_of_the_cache_is_paid() -> None:
    properties = {"CacheNodeType": "cache.t4g.small", "NumNodeGroups": 1, "ReplicasPerNodeGroup": 2}
    found = _estimate(Cache=("AWS::ElastiCache::ReplicationGroup", properties))
    assert found.usd == pytest.approx(3 * 0.0256 * HOURS)


def test_an_interface_endpoint_is_paid_in_each_zone_and_a_gateway_not_at_all() -> None:
    interface = {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b", "c"], "ServiceName": "x.sts"}
    found = _estimate(
        Sts=("AWS::EC2::VPCEndpoint", interface), S3=("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Gateway"})
    )
    assert found.usd == pytest.approx(3 * 0.01 * HOURS)


def _service(**service: Any) -> Estimate:
    task = {"Cpu": "1024", "Memory": "2048", "RuntimePlatform": {"CpuArchitecture": "ARM64"}}
    return _estimate(
        Task=("AWS::ECS::TaskDefinition", task),
        Tasks=("AWS::ApplicationAutoScaling::ScalableTarget", {"MinCapacity": 3, "MaxCapacity": 30}),
        Service=("AWS::ECS::Service", {"TaskDefinition": {"Ref": "Task"}, **service}),
    )


def test_tasks_are_paid_by_their_least_number_cores_and_memory() -> None:
    assert _service().usd == pytest.approx(3 * HOURS * (0.03238 + 2 * 0.00356))


def test_spot_is_cheaper_by_its_share() -> None:
    strategy = [
        {"CapacityProvider": "FARGATE", "Weight": 1},
        {"CapacityProvider": "FARGATE_SPOT", "Weight": 1},
    ]
    share = 0.5 + 0.5 * PRICES.fargate_spot_share
    assert _service(CapacityProviderStrategy=strategy).usd == pytest.approx(share * _service().usd)


def test_callers_are_paid_by_what_they_send_and_get() -> None:
    balancer = {"Scheme": "internet-facing", "Subnets": ["a", "b"]}
    found = _estimate(
        replace(QUIET, requests=1_000_000, request_kb=2, answer_kb=3),
        Balancer=("AWS::ElasticLoadBalancingV2::LoadBalancer", balancer),
    )
    fixed = HOURS * (0.0225 + 2 * 0.005)
    assert found.usd == pytest.approx(fixed + 5 * 0.008 + 3 * 0.09)


def test_a_node_without_a_price_is_told_with_those_that_have_one() -> None:
    with pytest.raises(WrongUsageError, match=r"cache\.x9\.huge has no price .* cache\.t4g\.micro"):
        _estimate(Cache=("AWS::ElastiCache::ReplicationGroup", {"CacheNodeType": "cache.x9.huge"}))


def test_a_type_that_nobody_judged_is_named() -> None:
    assert _estimate(New=("AWS::Quantum::Computer", {})).unpriced == ("AWS::Quantum::Computer",)


def test_every_price_has_a_source_and_is_used_by_a_rule() -> None:
    for name, item in PRICES.items.items():
        assert item.source.startswith("https://aws.amazon.com/"), name
        assert item.usd > 0, name


def test_every_type_of_resource_of_production_was_judged(synthesized: Callable[[str], Path]) -> None:
    production, dev = (
        estimate(read_stacks(synthesized(name)), PRICES, Traffic()) for name in ("prod", "dev")
    )
    assert production.unpriced == dev.unpriced == ()
    assert production.usd > dev.usd > 100


def test_the_command_shows_a_table_and_its_assumptions_or_json(
    run: Run, synthesized: Callable[[str], Path]
) -> None:
    folder = str(synthesized("dev"))
    shown = run("cost", "--assembly", folder)
    assert shown.exit_code == 0, shown.stderr
    for words in ("nat gateway hour", "together", PRICES.as_of, "not included: models"):
        assert words in shown.stdout
    facts = json.loads(run("cost", "--assembly", folder, "--json").stdout)
    assert facts["usd"] == pytest.approx(sum(line["usd"] for line in facts["lines"]), abs=0.01)
    assert facts["usd_by_stack"].keys() >= {"Data", "Network", "Service"}


def test_no_assembly_says_how_to_write_one(run: Run, tmp_path: Any) -> None:
    shown = run("cost", "--environment", "prod", "--assembly", str(tmp_path))
    assert shown.exit_code == 2
    assert "make synth-prod" in shown.stderr
