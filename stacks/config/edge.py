"""The section `edge`."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.validation import Breach, pattern, refuse
from stacks.config.domain_name import DomainName
from stacks.config.firewall import Firewall
from stacks.config.ip_network import IpNetwork, overlapping
from stacks.config.section import Section

# A security group has so many rules for each version of the protocol; a network takes one for each of the
# load balancer's two ports.
_RULES_OF_A_VERSION = 60
_MOST_NETWORKS_OF_A_VERSION = _RULES_OF_A_VERSION // 2

PathPattern = Annotated[
    str,
    pattern(r"^/[A-Za-z0-9_./*-]{1,127}$", "a path that begins with /; * stands for any text", "/console*"),
]

CertificateArn = Annotated[
    str,
    pattern(
        r"^arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]{36}$",
        "the ARN of a certificate in AWS Certificate Manager",
        "arn:aws:acm:us-east-1:111111111111:certificate/01234567-89ab-cdef-0123-456789abcdef",
        "A certificate for domain_name and its regional name, such as one of your own authority; "
        "without it one is made.",
    ),
]


class Edge(Section):
    """Where callers reach the gateway."""

    scheme: Annotated[
        Literal["internet-facing", "internal"],
        Field(description="An internal load balancer has addresses of the VPC's service subnets alone."),
    ] = "internet-facing"
    domain_name: DomainName
    hosted_zone_id: Annotated[
        str,
        pattern(
            r"^Z[A-Z0-9]{1,31}$",
            "a Route 53 hosted zone ID: Z and up to 31 capital letters or digits",
            "Z0123456789ABCDEFGHIJ",
            "Route 53 zone that holds domain_name; a private one needs certificate_arn.",
        ),
    ]
    hosted_zone_name: DomainName
    certificate_arn: CertificateArn | None = None
    allowed_cidrs: Annotated[
        tuple[IpNetwork, ...],
        Field(
            min_length=1,
            max_length=2 * _MOST_NETWORKS_OF_A_VERSION,
            examples=[["0.0.0.0/0"]],
            description="Networks that may reach the gateway; with network.ipv6 and an IPv6 network, such as "
            "::/0, it is reached over both.",
        ),
    ] = (IPv4Network("0.0.0.0/0"),)
    verify_tokens: Annotated[
        bool,
        Field(
            description="Let the load balancer refuse tokens that the user pool has not signed, before the "
            "gateway reads them. Not with a canary: ECS then rewrites the one rule that it knows."
        ),
    ] = False
    sign_in_paths: Annotated[
        tuple[PathPattern, ...],
        Field(
            max_length=5,
            description="Paths for people with a browser, whom the load balancer sends to the user pool's "
            "sign-in page first. Not with a canary either.",
        ),
    ] = ()
    firewall: Firewall = Firewall()

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse(self._breaches())
        return self

    @property
    def admits_ipv6(self) -> bool:
        """Whether a network of IPv6 addresses may reach the gateway."""
        return any(cidr.version == 6 for cidr in self.allowed_cidrs)

    @property
    def is_open_to_all(self) -> bool:
        """Whether whoever asks from IPv4 is heard, whatever the network: such as AWS's checkers of health."""
        firewall = self.firewall
        chooses = (
            firewall.allowed_countries
            or firewall.blocked_countries
            or firewall.blocked_cidrs
            or firewall.block_anonymous_networks
            or firewall.bot_control
        )
        anybody = IPv4Network("0.0.0.0/0") in self.allowed_cidrs
        return self.scheme == "internet-facing" and anybody and not chooses

    def _breaches(self) -> Iterator[Breach]:
        # Below the zone's own name, so that the region's part fits between.
        zone = self.hosted_zone_name
        if not self.domain_name.endswith(f".{zone}"):
            fix = f"write api.{zone}, or in hosted_zone_name the zone that holds {self.domain_name}"
            yield Breach(("domain_name",), self.domain_name, f"a name that ends with .{zone}", fix)
        yield from overlapping(("allowed_cidrs",), self.allowed_cidrs)
        yield from _more_than_there_are_rules(self.allowed_cidrs)


def _more_than_there_are_rules(cidrs: Sequence[IPv4Network | IPv6Network]) -> Iterator[Breach]:
    most = _MOST_NETWORKS_OF_A_VERSION
    for version in (4, 6):
        of_version = [index for index, cidr in enumerate(cidrs) if cidr.version == version]
        for index in of_version[most:]:
            rules = f"each takes 2 of a security group's {_RULES_OF_A_VERSION} rules"
            allowed = f"at most {most} networks of IPv{version}: {rules}"
            fix = "join networks into larger ones"
            yield Breach(("allowed_cidrs", index), str(cidrs[index]), allowed, fix)
