"""Who reaches the pods, and whom they reach."""

from typing import Any

from gatehouse.kubernetes.workload import prerequisites
from gatehouse.kubernetes.workload_inputs import Workload
from tests.kubernetes.workloads import SUBNETS, VPC, on_an_existing_cluster, only, workload

Opening = tuple[str, str, int]
NAMES = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16")
DNS = {(cidr, protocol, 53) for cidr in NAMES for protocol in ("TCP", "UDP")}
AGENT = ("169.254.170.23/32", "TCP", 80)
DATABASE, CACHE = (VPC[0], "TCP", 5432), (VPC[0], "TCP", 6379)
HTTPS = ("0.0.0.0/0", "TCP", 443)


def _policy(found: Workload, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = only(prerequisites(found), "NetworkPolicy", name)["spec"]
    return spec


def _openings(spec: dict[str, Any], direction: str) -> set[Opening]:
    """Every block and port that a policy opens; a rule without either would open all."""
    peers = "from" if direction == "ingress" else "to"
    return {
        (peer["ipBlock"]["cidr"], port["protocol"], port["port"])
        for rule in spec.get(direction, [])
        for peer in rule[peers]
        for port in rule["ports"]
    }


def test_everything_is_refused_that_no_other_policy_opens() -> None:
    assert _policy(workload(), "refuse-everything") == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


def test_every_policy_is_about_both_directions() -> None:
    for manifest in prerequisites(workload()):
        if manifest["kind"] == "NetworkPolicy":
            assert manifest["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_only_the_load_balancer_s_subnets_reach_the_gateway_and_only_its_port() -> None:
    spec = _policy(workload(), "gateway")
    assert _openings(spec, "ingress") == {(subnet, "TCP", 8080) for subnet in SUBNETS}


def test_the_port_is_the_image_s() -> None:
    spec = _policy(workload("custom"), "gateway")
    assert {port for _, _, port in _openings(spec, "ingress")} == {9000}


def test_the_gateway_reaches_names_its_role_its_backends_and_https() -> None:
    spec = _policy(workload(), "gateway")
    assert _openings(spec, "egress") == DNS | {AGENT, DATABASE, CACHE, HTTPS}


def test_over_ipv6_it_reaches_https_alone() -> None:
    spec = _policy(workload(has_ipv6=True), "gateway")
    assert {each for each in _openings(spec, "egress") if ":" in each[0]} == {("::/0", "TCP", 443)}


def test_migrations_are_reached_by_nobody_and_reach_the_database_alone() -> None:
    spec = _policy(workload(), "migrations")
    assert _openings(spec, "ingress") == set()
    assert _openings(spec, "egress") == DNS | {AGENT, DATABASE}


def test_with_openid_connect_sts_gives_the_role_and_not_the_node() -> None:
    found = on_an_existing_cluster()
    assert _openings(_policy(found, "gateway"), "egress") == DNS | {DATABASE, CACHE, HTTPS}
    assert _openings(_policy(found, "migrations"), "egress") == DNS | {DATABASE, HTTPS}


def test_nobody_reaches_the_instance_s_metadata() -> None:
    for found in (workload(), on_an_existing_cluster()):
        for name in ("gateway", "migrations"):
            openings = _openings(_policy(found, name), "egress")
            assert {port for cidr, _, port in openings if cidr.startswith("169.254.")} <= {53, 80}
            assert not {opening for opening in openings if opening[2] == 80} - {AGENT}
