"""What the section `edge` refuses, and in which words."""

from collections.abc import Callable

import pytest

from stacks.config.edge import Edge

ProblemsAfter = Callable[..., list[str]]

ZONE = "  hosted_zone_name: dev.gatehouse.example.com\n"
CERTIFICATE = "arn:aws:acm:{}:111111111111:certificate/01234567-89ab-cdef-0123-456789abcdef"


def _with(line: str) -> tuple[str, str]:
    """An edit of dev's file that adds a line to the section."""
    return ZONE, f"{ZONE}  {line}\n"


def _with_rule(line: str) -> tuple[str, str]:
    """An edit of dev's file that adds a line to the firewall."""
    return "  firewall:\n", f"  firewall:\n    {line}\n"


def test_a_network_with_host_bits_is_told_its_network(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("dev", _with("allowed_cidrs: [2001:db8::1/32]"))
    assert "edge.allowed_cidrs[0] is 2001:db8::1/32; allowed: an IPv4 or IPv6 network" in line
    assert line.endswith("fix: write 2001:db8::/32, the network that holds this address")


OVERLAPPING = "[192.0.2.64/26, 2001:db8::/32, 198.51.100.0/24, 192.0.2.0/24, 2001:db8::/32]"


def test_no_network_is_admitted_twice_nor_within_another(problems_after: ProblemsAfter) -> None:
    inside, twice = problems_after("dev", _with(f"allowed_cidrs: {OVERLAPPING}"))
    allowed = "networks that do not overlap: 192.0.2.0/24 of the same list holds it"
    assert f"edge.allowed_cidrs[0] is 192.0.2.64/26; allowed: {allowed}" in inside
    assert "edge.allowed_cidrs[4] is 2001:db8::/32; allowed: each network once; fix: remove it" in twice


@pytest.mark.parametrize("name", ["trusted_cidrs", "blocked_cidrs"])
def test_lists_for_the_firewall_may_have_networks_within_others(
    problems_after: ProblemsAfter, name: str
) -> None:
    (twice,) = problems_after("dev", _with_rule(f"{name}: {OVERLAPPING}"))
    assert f"edge.firewall.{name}[4] is 2001:db8::/32; allowed: each network once; fix: remove it" in twice


@pytest.mark.parametrize(("version", "other"), [(4, 6), (6, 4)])
def test_no_more_networks_are_admitted_than_a_security_group_has_rules_for(
    problems_after: ProblemsAfter, version: int, other: int
) -> None:
    form = {4: "192.0.{}.0/24", 6: "2001:db8:{}::/48"}
    networks = [form[other].format(number) for number in range(29)]
    networks += [form[version].format(number) for number in range(31)]
    (line,) = problems_after("dev", _with(f"allowed_cidrs: [{', '.join(networks)}]"))
    assert f"edge.allowed_cidrs[59] is {networks[59]}; allowed: at most 30 networks of IPv{version}" in line


def test_a_certificate_is_in_the_region(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("dev", _with(f"certificate_arn: {CERTIFICATE.format('eu-west-1')}"))
    assert "edge.certificate_arn is arn:aws:acm:eu-west-1:" in line
    assert "allowed: a certificate in us-east-1, the environment's region" in line


@pytest.mark.parametrize(
    ("line", "allowed"), [("verify_tokens: true", "false"), ("sign_in_paths: [/ui*]", "none")]
)
def test_no_rule_of_the_load_balancer_stands_beside_a_canary(
    problems_after: ProblemsAfter, line: str, allowed: str
) -> None:
    canary = ("canary_percent: 0", "canary_percent: 10")
    (problem,) = problems_after("dev", canary, _with(line))
    assert f"edge.{line.partition(':')[0]} is " in problem
    assert f"allowed: {allowed} with a canary" in problem


def test_the_load_balancer_knows_the_keys_of_one_issuer(problems_after: ProblemsAfter) -> None:
    issuer = "https://login.example.com"
    other = f"identity:\n  issuers:\n    - issuer: {issuer}\n      audiences: [gatehouse]\n\naudit:\n"
    problems = problems_after("dev", _with("verify_tokens: true"), ("audit:\n", other))
    (line,) = (problem for problem in problems if "identity.issuers" in problem)
    assert issuer in line
    assert "allowed: none with edge.verify_tokens" in line


def test_countries_are_allowed_or_blocked(problems_after: ProblemsAfter) -> None:
    lists = "allowed_countries: [DE]\n    blocked_countries: [KP]"
    (line,) = problems_after("dev", _with_rule(lists))
    assert "edge.firewall.blocked_countries is [KP]; allowed: none beside allowed_countries" in line


def test_a_country_is_named_by_its_code(problems_after: ProblemsAfter) -> None:
    (line,) = problems_after("dev", _with_rule("blocked_countries: [germany]"))
    assert "edge.firewall.blocked_countries[0] is germany; allowed: a country's code" in line


@pytest.mark.parametrize("name", ["trusted_cidrs", "blocked_cidrs"])
@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_all_addresses_are_neither_trusted_nor_blocked(
    problems_after: ProblemsAfter, name: str, network: str
) -> None:
    (line,) = problems_after("dev", _with_rule(f'{name}: ["{network}"]'))
    assert f"edge.firewall.{name}[0] is " in line
    assert "allowed: a part of all addresses" in line


@pytest.mark.parametrize(
    ("allowed_cidrs", "expected"),
    [(["0.0.0.0/0"], False), (["0.0.0.0/0", "::/0"], True), (["2001:db8::/32"], True)],
)
def test_ipv6_is_admitted_where_a_network_of_it_is(allowed_cidrs: list[str], expected: bool) -> None:
    edge = Edge.model_validate(
        {
            "domain_name": "api.example.com",
            "hosted_zone_id": "Z1",
            "hosted_zone_name": "example.com",
            "allowed_cidrs": allowed_cidrs,
        }
    )
    assert edge.admits_ipv6 is expected
