"""The rules of the section compute, and of what depends on where the gateway runs."""

from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stacks.config.compute import Compute
from stacks.config.load import load_environment

ProblemsAfter = Callable[..., list[str]]

ROLE = "arn:aws:iam::555555555555:role/platform-engineers"
ADMINISTRATORS = f"  administrator_role_arns: [{ROLE}]\n"
PROVIDER = "oidc.eks.us-east-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
EXISTING = {
    "name": "shared",
    "security_group_id": "sg-0123456789abcdef0",
    "pod_security_group_id": "sg-0fedcba9876543210",
}


def _with(line: str) -> tuple[str, str]:
    """An edit of prod-eks that adds a line to its section compute."""
    return (ADMINISTRATORS, f"{ADMINISTRATORS}  {line}\n")


def _refusals(**compute: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Compute.model_validate({"platform": "eks", **compute})
    return str(caught.value)


def test_the_gateway_runs_on_ecs_where_nothing_is_said() -> None:
    assert load_environment("prod").compute == Compute(platform="ecs")


def test_the_environment_on_eks_has_a_private_cluster_of_its_own() -> None:
    compute = load_environment("prod-eks").compute
    assert (compute.platform, compute.existing, compute.apply) == ("eks", None, True)
    assert compute.public_endpoint_cidrs == ()
    assert compute.administrator_role_arns == (ROLE,)


@pytest.mark.parametrize("environment", ["prod", "prod-eks"])
def test_a_section_that_is_written_out_is_the_same(environment: str) -> None:
    compute = load_environment(environment).compute
    assert Compute.model_validate(compute.model_dump()) == compute


def test_what_is_about_a_cluster_is_refused_on_ecs(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("prod-eks", ("  platform: eks\n", "  platform: ecs\n"))
    assert ": compute.administrator_role_arns is " in line
    assert "; allowed: left out, as platform is ecs; fix: " in line


@pytest.mark.parametrize("version", ["1.34", "1.37"])
def test_only_versions_are_offered_that_are_known(problems_after: ProblemsAfter, version: str) -> None:
    (line,) = problems_after("prod-eks", _with(f'kubernetes_version: "{version}"'))
    assert f": compute.kubernetes_version is '{version}'; allowed: '1.35' or '1.36'" in line


@pytest.mark.parametrize(
    "namespace", ["default", "kube-system", "kube-own", "amazon-cloudwatch", "aws-secrets-manager"]
)
def test_the_namespace_is_the_gateway_s_own(problems_after: ProblemsAfter, namespace: str) -> None:
    (line,) = problems_after("prod-eks", _with(f"namespace: {namespace}"))
    assert f": compute.namespace is {namespace}; allowed: a namespace of the gateway's own" in line


@pytest.mark.parametrize(
    ("cidrs", "allowed"),
    [
        ("[0.0.0.0/0]", "a network, not all of them"),
        ("[10.1.0.0/16]", "public addresses"),
        ("[172.20.0.0/14]", "public addresses"),
        ("[100.100.0.0/16]", "public addresses"),
        ("[198.51.100.0/24, 198.51.100.0/24]", "each network once"),
    ],
)
def test_the_api_is_public_for_public_networks_that_are_named(
    problems_after: ProblemsAfter, cidrs: str, allowed: str
) -> None:
    (line,) = problems_after("prod-eks", _with(f"public_endpoint_cidrs: {cidrs}"))
    assert ": compute.public_endpoint_cidrs[" in line
    assert f"; allowed: {allowed}" in line


def test_networks_that_are_named_are_taken_as_they_are() -> None:
    compute = Compute.model_validate({"platform": "eks", "public_endpoint_cidrs": ["198.51.100.0/24"]})
    assert compute.public_endpoint_cidrs == (IPv4Network("198.51.100.0/24"),)


def test_every_administrator_is_named_once(problems_after: ProblemsAfter) -> None:
    twice = f"  administrator_role_arns: [{ROLE}, {ROLE}]\n"
    (line,) = problems_after("prod-eks", (ADMINISTRATORS, twice))
    assert f": compute.administrator_role_arns[1] is {ROLE}; allowed: each role once" in line


def test_somebody_can_apply_what_the_deployment_does_not(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("prod-eks", (ADMINISTRATORS, "  apply: false\n"))
    assert ": compute.administrator_role_arns is empty; allowed: at least one, as apply is false" in line


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("kubernetes_version", "1.35"),
        ("public_endpoint_cidrs", ["198.51.100.0/24"]),
        ("administrator_role_arns", [ROLE]),
    ],
)
def test_a_cluster_that_was_there_has_its_own_settings(setting: str, value: object) -> None:
    text = _refusals(existing=EXISTING, **{setting: value})
    assert "left out beside existing, whose cluster has its own" in text


def test_a_cluster_that_was_there_needs_no_administrators_for_gitops() -> None:
    assert Compute.model_validate({"platform": "eks", "apply": False, "existing": EXISTING}).existing


def test_a_provider_is_named_where_it_vouches_for_pods() -> None:
    text = _refusals(existing=EXISTING | {"identity": "oidc"})
    assert "the cluster's provider, as identity is oidc" in text
    taken = Compute.model_validate(
        {"platform": "eks", "existing": EXISTING | {"identity": "oidc", "oidc_provider": PROVIDER}}
    )
    assert taken.existing is not None
    assert taken.existing.oidc_provider == PROVIDER


def test_a_provider_is_not_named_where_pod_identity_vouches_for_pods() -> None:
    assert "left out, as identity is pod-identity" in _refusals(
        existing=EXISTING | {"oidc_provider": PROVIDER}
    )


@pytest.mark.parametrize("provider", [f"https://{PROVIDER}", "login.example.com"])
def test_a_provider_is_one_of_eks_without_its_scheme(provider: str) -> None:
    text = _refusals(existing=EXISTING | {"identity": "oidc", "oidc_provider": provider})
    assert "existing.oidc_provider\n  String should match pattern" in text


def test_a_cluster_that_was_there_is_in_a_vpc_that_was_there(problems_after: ProblemsAfter) -> None:
    groups = "security_group_id: sg-0123456789abcdef0, pod_security_group_id: sg-0fedcba9876543210"
    cluster = f"existing: {{name: shared, {groups}}}"
    (line,) = problems_after("prod-eks", (ADMINISTRATORS, f"  {cluster}\n"))
    assert (
        ": compute.existing is shared; allowed: a cluster that is made here, unless network.existing" in line
    )


def _in_its_vpc(endpoints: str) -> list[tuple[str, str]]:
    """Edits of prod-eks that put it into a cluster that was there, beside endpoints of the platform's."""
    ids = {kind: ", ".join(f"subnet-{kind}{zone:016x}" for zone in range(3)) for kind in "abc"}
    tables = ", ".join(f"rtb-{zone:017x}" for zone in range(3))
    vpc = (
        f"  endpoints: {endpoints}\n"
        "  existing:\n"
        "    vpc_id: vpc-0123456789abcdef0\n"
        f"    public_subnet_ids: [{ids['a']}]\n"
        f"    service_subnet_ids: [{ids['b']}]\n"
        f"    data_subnet_ids: [{ids['c']}]\n"
        f"    service_route_table_ids: [{tables}]\n"
        "    cidrs: [10.60.0.0/16]\n"
    )
    groups = "security_group_id: sg-0123456789abcdef0, pod_security_group_id: sg-0fedcba9876543210"
    cluster = f"  existing: {{name: shared, {groups}}}\n"
    return [("  cidr: 10.43.0.0/16\n", vpc), (ADMINISTRATORS, cluster)]


def test_endpoints_for_the_gateway_alone_cut_no_cluster_off_from_aws(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("prod-eks", *_in_its_vpc("all"))
    assert (
        ": compute.existing is shared; allowed: a cluster that is made here, unless network.endpoints" in line
    )


def test_a_cluster_may_be_there_in_a_vpc_with_endpoints_of_its_own(config_directory: Path) -> None:
    file = config_directory / "prod-eks.yaml"
    text = file.read_text(encoding="utf-8")
    for old, new in _in_its_vpc("none"):
        text = text.replace(old, new, 1)
    # A cluster that was there is in one region.
    text = text[: text.index("standby:\n")]
    file.write_text(text, encoding="utf-8")
    assert load_environment("prod-eks", config_directory).compute.existing is not None


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [
        ("canary_percent: 10", "0 on EKS, where pods are replaced in turn while the alarms watch"),
        ("canary_percent: 0\n  spot_percent: 50", "0 on EKS, whose nodes are on demand"),
    ],
)
def test_pods_are_replaced_in_turn_on_nodes_that_stay(
    problems_after: ProblemsAfter, setting: str, allowed: str
) -> None:
    lines = problems_after("prod-eks", ("canary_percent: 0", setting))
    assert any(f"; allowed: {allowed}" in line for line in lines)


@pytest.mark.parametrize(
    ("prefix", "pods", "fix"),
    [(18, 359, "write 359 or give network.cidr a shorter"), (23, 0, "give network.cidr a shorter")],
)
def test_the_network_has_addresses_for_pods_with_a_node_each(
    problems_after: ProblemsAfter, prefix: int, pods: int, fix: str
) -> None:
    network = ("  cidr: 10.43.0.0/16", f"  cidr: 10.43.0.0/{prefix}")
    (line,) = problems_after("prod-eks", network, ("maximum_tasks: 30", "maximum_tasks: 1000"))
    assert f": service.maximum_tasks is 1000; allowed: at most {pods}, for which network.cidr has" in line
    assert f"; fix: {fix} prefix" in line


def test_a_vpc_that_was_there_may_be_of_any_size() -> None:
    network = load_environment("prod-eks").network
    existing = network.model_copy(update={"existing": object()})
    assert existing.pod_capacity is None
    assert network.pod_capacity is not None
