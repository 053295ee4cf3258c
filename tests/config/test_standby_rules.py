"""The section `standby`: what is refused and in which words, and the environment that follows from it."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from gatehouse.recovery.steps import expected_recovery_seconds
from stacks.config.load import load_environment
from stacks.config.model import Environment
from stacks.config.model_access import ContentFilters, Guardrail, ModelAccess
from stacks.config.standby import Standby
from stacks.config.standby_rules import standby_does_not_fit
from stacks.standby import StandbyEnvironment, standby_environment

ProblemsAfter = Callable[..., list[str]]

COLD = ("mode: warm", "mode: cold\n  recovery_time_minutes: 120")
CERTIFICATE = "arn:aws:acm:{}:333333333333:certificate/01234567-89ab-cdef-0123-456789abcdef"
COLLECTOR = f"333333333333.dkr.ecr.us-east-1.amazonaws.com/collector@sha256:{64 * 'a'}"
SIGN_IN = """  domain:
    domain_name: sign-in.{zone}
    certificate_arn: arn:aws:acm:us-east-1:333333333333:certificate/01234567-89ab-cdef-0123-456789abcdef
"""
EXISTING = """
    existing:
      vpc_id: vpc-0123456789abcdef0
      service_subnet_ids: [subnet-0000001a, subnet-0000001b, subnet-0000001c]
      data_subnet_ids: [subnet-0000002a, subnet-0000002b, subnet-0000002c]
      service_route_table_ids: [rtb-0000000a, rtb-0000000a, rtb-0000000a]
"""


def _line(line: str) -> tuple[str, str]:
    """An edit of prod's file that adds a line to the section."""
    return "standby:\n  mode: warm\n", f"standby:\n  mode: warm\n  {line}\n"


def _environment(directory: Path, *edits: tuple[str, str]) -> Environment:
    file = directory / "prod.yaml"
    text = file.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    file.write_text(text, encoding="utf-8")
    return load_environment("prod", directory)


def _standby(environment: Environment, *, active: bool = False) -> StandbyEnvironment:
    found = standby_environment(environment, active=active)
    assert found is not None
    return found


def test_no_environment_has_to_have_a_standby(config_directory: Path) -> None:
    text = (config_directory / "prod.yaml").read_text(encoding="utf-8")
    section = text[text.index("standby:\n") :]
    environment = _environment(config_directory, (section, ""))
    assert environment.standby == Standby()
    assert environment.standby_region is None
    assert environment.regions == ("us-east-1",)
    assert standby_environment(environment) is None


def test_without_a_mode_the_rest_is_superfluous(problems_after: ProblemsAfter) -> None:
    lines = problems_after("prod", ("  mode: warm\n", ""))
    assert [line.split(" ")[1] for line in lines] == [
        "standby.region",
        "standby.network",
        "standby.minimum_tasks",
    ]
    assert "standby.region is us-west-2; allowed: left out, as mode is none" in lines[0]
    assert "standby.network is a mapping; allowed: left out" in lines[1]
    assert lines[2].endswith("fix: remove it, or write warm in mode")


def test_a_standby_has_a_region_and_a_network(problems_after: ProblemsAfter) -> None:
    (region,) = problems_after("prod", ("  region: us-west-2\n", ""))
    assert "standby.region is null; allowed: a region, as there is a standby" in region


def test_a_standby_has_a_network_of_its_own(problems_after: ProblemsAfter) -> None:
    prod = (
        "  network:\n    cidr: 10.142.0.0/16\n    availability_zones: [us-west-2a, us-west-2b, us-west-2c]\n"
        "    nat: one-per-zone\n"
    )
    (line,) = problems_after("prod", (prod, ""))
    assert "standby.network is null; allowed: a VPC of its own" in line


def test_the_regions_are_two(problems_after: ProblemsAfter) -> None:
    zones = ("[us-west-2a, us-west-2b, us-west-2c]", "[us-east-1a, us-east-1b, us-east-1c]")
    (line,) = problems_after("prod", ("region: us-west-2", "region: us-east-1"), zones)
    assert "standby.region is us-east-1; allowed: another region than the environment's" in line


def test_both_regions_have_addresses_of_ipv6_or_neither(problems_after: ProblemsAfter) -> None:
    """Else its name would lead callers of IPv6 to the lost region: there is no other to turn to."""
    prod = ("  cidr: 10.42.0.0/16\n", "  cidr: 10.42.0.0/16\n  ipv6: true\n")
    callers = ("  hosted_zone_id:", '  allowed_cidrs: ["0.0.0.0/0", "::/0"]\n  hosted_zone_id:')
    (line,) = problems_after("prod", prod, callers)
    assert "standby.network.ipv6 is false; allowed: true, as network.ipv6" in line
    assert line.endswith("fix: write true")


def test_without_callers_of_ipv6_they_may_differ(config_directory: Path) -> None:
    standby = ("    cidr: 10.142.0.0/16\n", "    cidr: 10.142.0.0/16\n    ipv6: true\n")
    network = _environment(config_directory, standby).standby.network
    assert network is not None
    assert network.ipv6


@pytest.mark.parametrize(
    ("edit", "path", "allowed"),
    [
        (("us-west-2c]", "us-east-2c]"), "availability_zones[2]", "a zone of us-west-2, standby.region"),
        (("us-west-2b, us-west-2c]", "us-west-2b]"), "availability_zones", "in prod 3 zones"),
        (
            ("10.142.0.0/16\n", "10.142.0.0/16\n    endpoints: s3\n"),
            "endpoints",
            "in prod all, so that requests to AWS stay in the VPC",
        ),
        (
            ("10.142.0.0/16", "10.42.128.0/17"),
            "cidr",
            "a block that does not overlap 10.42.0.0/16, which is network.cidr",
        ),
        (
            ("10.142.0.0/16", "10.142.0.0/23"),
            "cidr",
            "a block with addresses for 30 tasks, which is service.maximum_tasks",
        ),
    ],
)
def test_the_network_is_held_to_the_rules_of_the_environment_s(
    problems_after: ProblemsAfter, edit: tuple[str, str], path: str, allowed: str
) -> None:
    (line,) = problems_after("prod", edit)
    assert f": standby.network.{path} is " in line
    assert f"allowed: {allowed}" in line


def test_the_network_has_a_nat_gateway_in_each_zone(problems_after: ProblemsAfter) -> None:
    network = "us-west-2c]\n    nat: "
    (line,) = problems_after("prod", (f"{network}one-per-zone", f"{network}one"))
    assert ": standby.network.nat is one; allowed: in prod one-per-zone" in line


def test_pods_need_more_addresses_than_tasks(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("prod-eks", ("10.143.0.0/16", "10.143.0.0/22"))
    assert ": standby.network.cidr is 10.143.0.0/22; allowed: a block with addresses for 30 tasks" in line


def test_what_needs_a_way_out_is_named_where_the_standby_has_none(
    config_directory: Path, problems_after: ProblemsAfter
) -> None:
    standby = """
standby:
  mode: warm
  region: us-west-2
  recovery_time_minutes: 30
  network:
    cidr: 10.140.0.0/16
    availability_zones: [us-west-2a, us-west-2b]
    nat: none
"""
    file = config_directory / "dev.yaml"
    identity = f"identity:\n{SIGN_IN.format(zone='dev.gatehouse.example.com')}"
    text = file.read_text(encoding="utf-8").replace("identity:\n", identity)
    file.write_text(text + standby, encoding="utf-8")
    # The collector's image in ECR is the copy in the standby's region; what is fetched by URL has no copy.
    service = f"service:\n  collector_image: {COLLECTOR}\n  image_url_hosts: [images.example.com]\n"
    (line,) = problems_after("dev", ("service:\n", service), ("minimum_tasks: 1", "minimum_tasks: 2"))
    assert (
        ": standby.network.nat is none; allowed: one or one-per-zone, as service.image_url_hosts[0] cannot"
        in line
    )


def test_no_more_tasks_run_always_than_ever(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("prod", ("  minimum_tasks: 3\n", "  minimum_tasks: 31\n"))
    assert ": standby.minimum_tasks is 31; allowed: at most service.maximum_tasks, which is 30" in line


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        (
            f"certificate_arn: {CERTIFICATE.format('us-west-2')}",
            "a certificate in both regions or in neither",
        ),
        ("approval_role_arn: somebody", "the ARN of an IAM role"),
        ("recovery_point_seconds: 1", "a whole number from 5 to 3600"),
    ],
)
def test_other_wrong_values_are_refused(problems_after: ProblemsAfter, line: str, allowed: str) -> None:
    (problem,) = problems_after("prod", _line(line))
    assert f": standby.{line.partition(':')[0]} is " in problem
    assert f"allowed: {allowed}" in problem


def test_the_objective_is_not_below_what_a_recovery_is_expected_to_take(
    problems_after: ProblemsAfter,
) -> None:
    (warm,) = problems_after("prod", _line("recovery_time_minutes: 5"))
    least = math.ceil(expected_recovery_seconds() / 60)
    assert f"standby.recovery_time_minutes is 5; allowed: at least {least}, which the steps" in warm
    assert warm.endswith(f"fix: write {least} or more")


def test_a_cold_standby_needs_time_to_be_deployed(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("prod", ("mode: warm", "mode: cold"))
    assert "standby.recovery_time_minutes is 15; allowed: at least " in line
    assert "while mode is cold, as gateways are deployed first" in line


def test_certificates_are_in_their_regions(problems_after: ProblemsAfter) -> None:
    east = CERTIFICATE.format("us-east-1")
    edge = ("  hosted_zone_name:", f"  certificate_arn: {east}\n  hosted_zone_name:")
    (line,) = problems_after("prod", edge, _line(f"certificate_arn: {east}"))
    assert "standby.certificate_arn is arn:aws:acm:us-east-1:" in line
    assert "allowed: a certificate in us-west-2, the standby's region" in line


def test_no_load_balancer_signs_people_in(problems_after: ProblemsAfter) -> None:
    edge = ("  hosted_zone_name:", "  sign_in_paths: [/console]\n  hosted_zone_name:")
    (line,) = problems_after("prod-eks", edge)
    assert "standby.mode is warm; allowed: none with edge.sign_in_paths" in line


def test_an_existing_vpc_for_an_internet_facing_load_balancer_has_public_subnets(
    problems_after: ProblemsAfter,
) -> None:
    (line,) = problems_after("prod", ("    cidr: 10.142.0.0/16\n", EXISTING.removeprefix("\n")))
    assert ": standby.network.existing.public_subnet_ids is empty; allowed: one ID for each" in line


def test_existing_vpcs_have_blocks_that_nobody_here_knows(config_directory: Path) -> None:
    public = "      public_subnet_ids: [subnet-0000000a, subnet-0000000b, subnet-0000000c]\n"
    existing = EXISTING.removeprefix("\n").replace("      service_", f"{public}      service_", 1)
    environment = _environment(config_directory, ("    cidr: 10.142.0.0/16\n", existing))
    network = environment.standby.network
    assert network is not None
    assert network.existing is not None


@pytest.mark.parametrize(
    ("environment", "cidr", "blocks", "refused"),
    [
        ("prod-eks", "10.143.0.0/16", "[]", "empty; allowed: the VPC's blocks, as compute.platform is eks"),
        ("prod", "10.142.0.0/16", "[10.60.0.0/16]", "10.60.0.0/16; allowed: left out"),
    ],
)
def test_the_blocks_of_an_existing_vpc_are_for_pods(
    problems_after: ProblemsAfter, environment: str, cidr: str, blocks: str, refused: str
) -> None:
    public = "      public_subnet_ids: [subnet-0000000a, subnet-0000000b, subnet-0000000c]\n"
    existing = f"{EXISTING.removeprefix(chr(10))}{public}      cidrs: {blocks}\n"
    (line,) = problems_after(environment, (f"    cidr: {cidr}\n", existing))
    assert f": standby.network.existing.cidrs is {refused}" in line


def test_the_images_copies_there_are_made_without_being_asked_for(problems_after: ProblemsAfter) -> None:
    image = ("standby:\n", "image:\n  replicate_to: [eu-west-1, us-west-2]\n\nstandby:\n")
    (line,) = problems_after("prod", image)
    assert "standby.region is us-west-2; allowed: a region that image.replicate_to does not name" in line


def test_another_gateway_has_no_standby(problems_after: ProblemsAfter) -> None:
    uri = f"333333333333.dkr.ecr.us-east-1.amazonaws.com/dial@sha256:{64 * 'a'}"
    image = f"image:\n  profile: dial\n  uri: {uri}\n  version: 0.40.0\n\nstandby:\n"
    (line,) = problems_after("prod", ("standby:\n", image))
    assert "standby.mode is warm; allowed: none with another gateway's image" in line


def test_a_sign_in_page_under_a_name_of_cognito_s_has_no_standby(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("prod", (SIGN_IN.format(zone="gatehouse.example.com"), ""))
    assert "standby.mode is warm; allowed: none without identity.domain" in line


def test_an_existing_cluster_has_no_standby() -> None:
    eks = load_environment("prod-eks")
    compute = eks.compute.model_copy(update={"existing": object()})
    breaches = list(standby_does_not_fit(eks.standby, {"compute": compute}))
    assert [breach.path for breach in breaches] == [("mode",)]
    assert breaches[0].fix == "write none, or remove compute.existing"


def test_a_guardrail_of_several_regions_needs_a_profile_there() -> None:
    prod = load_environment("prod")
    guardrail = Guardrail(tier="standard", content_filters=ContentFilters(hate="high"))
    standby = prod.standby.model_copy(update={"region": "ca-central-1"})
    sections = {"region": "us-east-1", "model_access": ModelAccess(guardrail=guardrail)}
    (breach,) = (each for each in standby_does_not_fit(standby, sections) if each.path == ("region",))
    assert breach.allowed == "a region with guardrail profiles, as model_access.guardrail.tier is standard"


def test_the_standby_s_environment_differs_in_place_and_size_alone() -> None:
    prod = load_environment("prod")
    here = _standby(prod)
    assert here.is_standby
    assert not prod.is_standby
    assert (here.region, here.primary_region, here.standby_region) == ("us-west-2", "us-east-1", "us-west-2")
    assert here.regions == prod.regions == ("us-east-1", "us-west-2")
    assert here.network == prod.standby.network
    assert here.service.minimum_tasks == 3
    assert here.runs_gateways
    differ = {name for name in type(prod).model_fields if getattr(here, name) != getattr(prod, name)}
    assert differ == {"region", "network"}


def test_the_certificate_is_the_standby_s(config_directory: Path) -> None:
    east, west = (CERTIFICATE.format(region) for region in ("us-east-1", "us-west-2"))
    edge = ("  hosted_zone_name:", f"  certificate_arn: {east}\n  hosted_zone_name:")
    here = _standby(_environment(config_directory, edge, _line(f"certificate_arn: {west}")))
    assert here.edge.certificate_arn == west
    assert here.primary.edge.certificate_arn == east


def test_the_collector_comes_from_the_standby_s_own_registry(config_directory: Path) -> None:
    collector = ("service:\n", f"service:\n  collector_image: {COLLECTOR}\n")
    here = _standby(_environment(config_directory, collector))
    assert here.service.collector_image == COLLECTOR.replace("us-east-1", "us-west-2")


@pytest.mark.parametrize("image", [None, f"public.ecr.aws/collector@sha256:{64 * 'a'}"])
def test_a_collector_from_elsewhere_is_the_same_in_both_regions(image: str | None) -> None:
    service = load_environment("prod").service.model_copy(update={"collector_image": image})
    assert service.moved("us-east-1", "us-west-2") == service


def test_a_cold_standby_has_no_way_out_and_no_gateways_until_it_is_active(config_directory: Path) -> None:
    environment = _environment(config_directory, COLD)
    cold, active = _standby(environment), _standby(environment, active=True)
    assert (cold.runs_gateways, cold.network.nat, cold.network.endpoints) == (False, "none", "none")
    assert (active.runs_gateways, active.network) == (True, environment.standby.network)
    assert active.standby.recovery_time_minutes == 120


def test_a_standby_is_sized_by_the_platform_alone(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("prod-eks", ("  platform: eks\n", "  platform: eks\n  apply: false\n"))
    assert "standby.mode is warm; allowed: none with compute.apply false" in line


def test_what_none_leaves_open_may_stand_there(config_directory: Path) -> None:
    environment = _environment(config_directory)
    assert Standby.model_validate(Standby().model_dump()) == Standby()
    assert environment.standby.mode == "warm"
