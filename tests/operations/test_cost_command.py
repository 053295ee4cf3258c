"""The estimate of a month: what counts, how it is summed, and that nothing is left out unseen."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
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
QUIET = Traffic(requests=0, people=0, image_gb=0, nat_gb=0, backup_gb=0, cluster_log_gb=0)
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


def test_a_secret_is_paid_in_each_region_that_has_it() -> None:
    copied = {"ReplicaRegions": [{"Region": "us-west-2"}]}
    assert _estimate(Secret=("AWS::SecretsManager::Secret", copied)).usd == pytest.approx(2 * 0.40)


def test_a_replica_has_as_much_storage_as_its_source_and_its_changes_cross() -> None:
    node = {"DBInstanceClass": "db.m7g.large"}
    source = Resource("AWS::RDS::DBInstance", {**node, "AllocatedStorage": "100"})
    replica = Resource("AWS::RDS::DBInstance", {**node, "SourceDBInstanceIdentifier": "arn"})
    stacks = {
        name: Stack(name, (), {"Database": each})
        for name, each in (("Data", source), ("Standby-Data", replica))
    }
    found = estimate(stacks, PRICES, replace(QUIET, change_gb=50))
    database = 0.168 * HOURS + 0.115 * 100
    assert found.usd_by_stack == pytest.approx({"Standby-Data": database + 50 * 0.02, "Data": database})


def test_replicated_backups_are_paid_where_they_come_from() -> None:
    database = {
        "DBInstanceClass": "db.m7g.large",
        "AllocatedStorage": "100",
        "AutomaticBackupReplicationRegion": "us-west-2",
    }
    found = _estimate(replace(QUIET, change_gb=10, backup_gb=50), Database=("AWS::RDS::DBInstance", database))
    assert found.usd == pytest.approx(0.168 * HOURS + 0.115 * 100 + 10 * 0.02 + 50 * 0.095)


def test_objects_that_are_copied_both_ways_cross_once() -> None:
    rules = [{"Destination": {"Bucket": "arn", "ReplicationTime": {"Status": "Enabled"}}}]
    bucket = Resource("AWS::S3::Bucket", {"ReplicationConfiguration": {"Rules": rules}})
    point = Resource("AWS::S3::MultiRegionAccessPoint", {})
    stacks = {
        name: Stack(name, (), {"Bucket": bucket, "AccessPoint": point}) for name in ("Data", "Standby-Data")
    }
    found = estimate(stacks, PRICES, replace(QUIET, objects_gb=100))
    assert found.usd_by_stack["Standby-Data"] == pytest.approx(100 * (0.02 + 0.015 + 0.0033))
    assert found.usd_by_stack["Data"] == 0


def test_a_standby_has_no_callers() -> None:
    balancer = Resource("AWS::ElasticLoadBalancingV2::LoadBalancer", {"Scheme": "internal", "Subnets": ["a"]})
    stack = Stack("Standby-Edge", (), {"Balancer": balancer})
    assert estimate({"Standby-Edge": stack}, PRICES, Traffic()).usd == pytest.approx(0.0225 * HOURS)


def test_a_recovery_plan_and_its_copies_of_keys_have_prices_of_their_own() -> None:
    found = _estimate(Plan=("AWS::ARCRegionSwitch::Plan", {}), Key=("AWS::KMS::ReplicaKey", {}))
    assert found.usd == pytest.approx(70 + 1)


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({"Type": "HTTP"}, 0),
        ({"Type": "HTTPS", "RequestInterval": 30}, 1),
        ({"Type": "HTTPS", "RequestInterval": 10}, 2),
        ({"Type": "HTTPS_STR_MATCH", "RequestInterval": 10, "MeasureLatency": True}, 4),
        ({"Type": "CALCULATED"}, 0),
    ],
)
def test_a_health_check_costs_more_with_each_option(config: dict[str, Any], options: int) -> None:
    found = _estimate(Check=("AWS::Route53::HealthCheck", {"HealthCheckConfig": config}))
    assert found.usd == pytest.approx(0.50 + options)


def test_spot_is_cheaper_by_its_share() -> None:
    strategy = [
        {"CapacityProvider": "FARGATE", "Weight": 1},
        {"CapacityProvider": "FARGATE_SPOT", "Weight": 1},
    ]
    share = 0.5 + 0.5 * PRICES.fargate_spot_share
    assert _service(CapacityProviderStrategy=strategy).usd == pytest.approx(share * _service().usd)


def _on_kubernetes(
    *, pods: int = 3, cpu: str = "1", memory: str = "2Gi", architecture: str = "arm64", pool: bool = True
) -> Estimate:
    requirements = [
        {"key": "kubernetes.io/arch", "operator": "In", "values": [architecture]},
        {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a", "b", "c"]},
    ]
    spec = {
        "containers": [{"resources": {"requests": {"cpu": cpu, "memory": memory}}}],
        "initContainers": [
            {"restartPolicy": "Always", "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}}},
            {"resources": {"requests": {"cpu": "64", "memory": "1024Gi"}}},
        ],
    }
    node_pool = {"kind": "NodePool", "spec": {"template": {"spec": {"requirements": requirements}}}}
    workload = [
        {"kind": "Deployment", "spec": {"template": {"spec": spec}}},
        {"kind": "HorizontalPodAutoscaler", "spec": {"minReplicas": pods}},
    ]
    manifests = {"prerequisites": [node_pool] if pool else [], "workload": workload}
    stack = Stack("Service", (), {}, metadata={"gatehouse:manifests": json.dumps(manifests)})
    return estimate({"Service": stack}, PRICES, QUIET)


def _amounts(found: Estimate) -> dict[str, float]:
    return {line.item: line.amount for line in found.lines if line.amount}


def test_pods_are_paid_by_the_nodes_that_hold_them_and_auto_mode_adds_to_their_price() -> None:
    found = _on_kubernetes()
    # 1.25 vCPUs and 2.5 GiB: one for each zone on nodes with 2 and 4, and two small ones for add-ons.
    assert _amounts(found) == {
        "node c6g.large": 5 * HOURS,
        "auto mode c6g.large": 5 * HOURS,
        "ebs_gp3_gb": 5 * 80,
    }
    assert found.usd == pytest.approx(5 * (HOURS * 0.068 * 1.12 + 80 * 0.08))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        # 4.5 GiB: more than a node of 4 GiB has.
        ({"memory": "4Gi"}, "node m6g.large"),
        # Five pods in each zone: one node of 8 vCPUs costs less than three of 4, or five of 2.
        ({"pods": 15}, "node c6g.2xlarge"),
        ({"architecture": "amd64"}, "node c6a.large"),
    ],
)
def test_nodes_are_of_the_cheapest_type_that_holds_the_pods(asked: dict[str, Any], expected: str) -> None:
    assert _amounts(_on_kubernetes(**asked))[expected] == 3 * HOURS


def test_a_zone_without_a_pod_has_no_node() -> None:
    assert _amounts(_on_kubernetes(pods=2))["node c6g.large"] == 4 * HOURS


def test_pods_on_nodes_that_were_there_cost_nothing_more() -> None:
    assert _on_kubernetes(pool=False).usd == 0


def test_a_pod_that_fits_on_no_node_with_a_price_is_told() -> None:
    with pytest.raises(WrongUsageError, match=r"20\.25 vCPUs .* fits on none of c6g\.large"):
        _on_kubernetes(cpu="20")


def test_a_cluster_is_paid_and_more_once_its_version_is_out_of_standard_support() -> None:
    cluster = {"Cluster": Resource("AWS::EKS::Cluster", {"Version": "1.35"})}
    stacks = {"Service": Stack("Service", (), cluster)}
    last, next_day = (estimate(stacks, PRICES, QUIET, today=date(2027, 3, day)) for day in (26, 27))
    assert last.usd == pytest.approx(0.10 * HOURS)
    assert next_day.usd == pytest.approx(0.60 * HOURS)


def test_the_logs_of_a_cluster_are_paid() -> None:
    cluster = {"Cluster": Resource("AWS::EKS::Cluster", {"Version": "1.36"})}
    found = estimate({"Service": Stack("Service", (), cluster)}, PRICES, replace(QUIET, cluster_log_gb=10))
    assert _amounts(found)["logs_gb"] == 10


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
    on_kubernetes, production, dev = (
        estimate(read_stacks(synthesized(name)), PRICES, Traffic()) for name in ("prod-eks", "prod", "dev")
    )
    assert on_kubernetes.unpriced == production.unpriced == dev.unpriced == ()
    assert on_kubernetes.usd > production.usd > dev.usd > 100
    assert {"eks_cluster_hour", "node c6g.large"} <= _amounts(on_kubernetes).keys()


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
