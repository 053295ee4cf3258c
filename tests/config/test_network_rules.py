"""The rules of the section network, and of what depends on the ways out that it leaves."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.validation import dotted
from stacks.config.identity import Identity
from stacks.config.image import Image
from stacks.config.isolation import out_of_reach
from stacks.config.load import load_environment
from stacks.config.network import Network
from stacks.config.section import Section

ProblemsAfter = Callable[..., list[str]]

EXISTING = """
  existing:
    vpc_id: vpc-0123456789abcdef0
    public_subnet_ids: [subnet-0000000a, subnet-0000000b]
    service_subnet_ids: [subnet-0000001a, subnet-0000001b]
    data_subnet_ids: [subnet-0000002a, subnet-0000002b]
    service_route_table_ids: [rtb-0000000a, rtb-0000000a]
"""
WITHOUT_CIDR = ("  cidr: 10.40.0.0/16\n", "")


def _with(existing: str) -> Sequence[tuple[str, str]]:
    return [WITHOUT_CIDR, ("\nservice:\n", f"{existing}\nservice:\n")]


def test_an_existing_vpc_is_taken_as_it_is(config_directory: Path) -> None:
    file = config_directory / "dev.yaml"
    text = file.read_text(encoding="utf-8")
    for old, new in _with(EXISTING):
        text = text.replace(old, new, 1)
    file.write_text(text, encoding="utf-8")
    network = load_environment("dev", config_directory).network
    assert network.existing is not None
    assert network.existing.vpc_id == "vpc-0123456789abcdef0"
    assert network.task_capacity is None


def test_an_existing_vpc_has_its_own_block(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("dev", *_with(EXISTING)[1:])
    assert ": network.cidr is 10.40.0.0/16; allowed: left out beside existing" in line


@pytest.mark.parametrize("name", ["public_subnet_ids", "service_subnet_ids", "data_subnet_ids"])
def test_every_list_has_one_id_for_each_zone(problems_after: ProblemsAfter, name: str) -> None:
    shorter = re.sub(rf"({name}: \[\S+), \S+\]", r"\1]", EXISTING)
    (line,) = problems_after("dev", *_with(shorter))
    assert f": network.existing.{name} is subnet-00000" in line
    assert "; allowed: 2 IDs, one for each of availability_zones" in line


def test_endpoints_that_are_made_need_the_route_tables(problems_after: ProblemsAfter) -> None:
    without = "\n".join(row for row in EXISTING.splitlines() if "rtb-" not in row)
    (line,) = problems_after("dev", *_with(without))
    assert ": network.existing.service_route_table_ids is empty; allowed: 2 IDs" in line


def test_no_subnet_serves_two_purposes(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("dev", *_with(EXISTING.replace("subnet-0000002b", "subnet-0000001b")))
    assert ": network.existing.data_subnet_ids[1] is subnet-0000001b; allowed: each subnet once" in line


def test_an_existing_vpc_without_public_subnets_has_an_internal_load_balancer(
    problems_after: ProblemsAfter,
) -> None:
    private = "\n".join(row for row in EXISTING.splitlines() if "public" not in row)
    (line,) = problems_after("dev", *_with(private))
    assert ": edge.scheme is internet-facing; allowed: internal, as network.existing names no public" in line


def _existing(**network: Any) -> Network:
    existing = {
        "vpc_id": "vpc-0123456789abcdef0",
        "service_subnet_ids": ["subnet-0000001a", "subnet-0000001b"],
        "data_subnet_ids": ["subnet-0000002a", "subnet-0000002b"],
    }
    settings = {"availability_zones": ["us-east-1a", "us-east-1b"], "nat": "one", "existing": existing}
    return Network.model_validate(settings | network)


EKS = ("\nservice:\n", "\ncompute:\n  platform: eks\n\nservice:\n")
NO_SPOT = ("spot_percent: 100", "spot_percent: 0")


def test_pods_in_an_existing_vpc_need_its_blocks(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("dev", *_with(EXISTING), EKS, NO_SPOT)
    assert ": compute.platform is eks; allowed: ecs, unless network.existing.cidrs names the VPC's" in line


def test_tasks_in_an_existing_vpc_have_no_use_for_them(problems_after: ProblemsAfter) -> None:
    with_blocks = f"{EXISTING}    cidrs: [10.60.0.0/16]\n"
    (line,) = problems_after("dev", *_with(with_blocks), (EKS[0], EKS[1].replace("eks", "ecs")))
    assert ": compute.platform is ecs; allowed: eks, as network.existing names cidrs" in line


@pytest.mark.parametrize(
    ("cidrs", "allowed"),
    [
        ("[10.0.0.0/8]", "a block of a VPC, from /16 to /28"),
        ("[10.60.0.0/16, 10.60.4.0/22]", "networks that do not overlap: 10.60.0.0/16 of the same list"),
    ],
)
def test_they_are_blocks_that_a_vpc_can_have(problems_after: ProblemsAfter, cidrs: str, allowed: str) -> None:
    edits = _with(f"{EXISTING}    cidrs: {cidrs}\n")
    (line,) = problems_after("dev", *edits, EKS, NO_SPOT)
    assert ": network.existing.cidrs[" in line
    assert f"; allowed: {allowed}" in line


def test_an_existing_vpc_that_has_endpoints_needs_no_route_tables() -> None:
    assert _existing(endpoints="none").endpoints == "none"
    assert _existing(endpoints="none", nat="none").nat == "none"


def test_a_vpc_that_is_made_has_endpoints_or_nat(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("dev", ("nat: one\n", "nat: one\n  endpoints: none\n"))
    assert ": network.endpoints is none; allowed: all or s3: a VPC that is made here has no others" in line


def test_aws_is_reached_through_nat_or_endpoints(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("dev", ("nat: one\n", "nat: none\n  endpoints: s3\n"))
    assert ": network.endpoints is s3; allowed: all, or none in an existing VPC" in line


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_staging_and_prod_reach_aws_through_endpoints(
    problems_after: ProblemsAfter, environment: str
) -> None:
    (line,) = problems_after(environment, ("nat: one-per-zone", "nat: one-per-zone\n  endpoints: s3"))
    assert f": network.endpoints is s3; allowed: in {environment} all, so that requests to AWS stay" in line


def test_without_nat_no_images_are_fetched_by_url(problems_after: ProblemsAfter) -> None:
    hosts = (
        "  cpu_units: 512",
        "  cpu_units: 512\n  collector_image: null\n  image_url_hosts: [example.com]",
    )
    (line,) = problems_after("dev", ("nat: one\n", "nat: none\n"), hosts)
    assert ": service.image_url_hosts[0] is example.com; allowed: nothing, as network.nat is none" in line


def _out_of_reach(section: Section) -> list[tuple[str, object]]:
    return [(dotted(breach.path), breach.given) for breach in out_of_reach(section, "us-east-1")]


def test_without_nat_no_token_can_be_verified() -> None:
    issuer = "https://login.example.com"
    identity = Identity.model_validate(
        {
            "machine_clients": ["nightly-reports"],
            "app_client_ids": ["1h57kf5cpq17m0eml12EXAMPLE"],
            "issuers": [{"issuer": issuer, "audiences": ["gatehouse"]}],
        }
    )
    assert _out_of_reach(identity) == [
        ("machine_clients[0]", "nightly-reports"),
        ("app_client_ids[0]", "1h57kf5cpq17m0eml12EXAMPLE"),
        ("issuers[0]", issuer),
    ]


@pytest.mark.parametrize(
    ("scheme", "beyond"),
    [("internal", [("verify_tokens", True), ("sign_in_paths[0]", "/console")]), ("internet-facing", [])],
)
def test_without_nat_an_internal_load_balancer_signs_nobody_in(
    scheme: str, beyond: list[tuple[str, object]]
) -> None:
    edge = load_environment("dev").edge
    settings = {"scheme": scheme, "verify_tokens": True, "sign_in_paths": ("/console",)}
    assert _out_of_reach(edge.model_copy(update=settings)) == beyond


@pytest.mark.parametrize(
    ("registry", "is_reached"),
    [
        ("111111111111.dkr.ecr.us-east-1.amazonaws.com", True),
        ("111111111111.dkr.ecr.us-west-2.amazonaws.com", False),
        ("ghcr.io", False),
    ],
)
def test_without_nat_images_come_from_ecr_in_the_region(registry: str, is_reached: bool) -> None:
    uri = f"{registry}/example/gateway@sha256:{'0' * 64}"
    image = Image.model_construct(uri=uri)
    assert _out_of_reach(image) == ([] if is_reached else [("uri", uri)])
