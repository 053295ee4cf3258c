"""The section `edge`."""

from ipaddress import IPv4Network
from typing import Annotated, Self

from pydantic import Field, model_validator

from gateway.validation import Breach, pattern, refuse
from stacks.config.domain_name import DomainName
from stacks.config.section import Section


class Edge(Section):
    """Where callers reach the gateway."""

    domain_name: DomainName
    hosted_zone_id: Annotated[
        str,
        pattern(
            r"^Z[A-Z0-9]{1,31}$",
            "a Route 53 hosted zone ID: Z and up to 31 capital letters or digits",
            "Z0123456789ABCDEFGHIJ",
            "Route 53 public zone that holds domain_name.",
        ),
    ]
    hosted_zone_name: DomainName
    allowed_cidrs: Annotated[
        tuple[IPv4Network, ...],
        Field(min_length=1, examples=[["0.0.0.0/0"]], description="Networks that may reach the gateway."),
    ] = (IPv4Network("0.0.0.0/0"),)
    requests_per_5_minutes_per_address: Annotated[int, Field(ge=10, le=2_000_000_000)] = 10_000

    @model_validator(mode="after")
    def _domain_is_in_the_zone(self) -> Self:
        zone = self.hosted_zone_name
        if not f".{self.domain_name}".endswith(f".{zone}"):
            fix = f"write api.{zone}, or in hosted_zone_name the zone that holds {self.domain_name}"
            allowed = f"{zone} or a name that ends with .{zone}"
            refuse([Breach(("domain_name",), self.domain_name, allowed, fix)])
        return self
