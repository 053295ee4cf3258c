"""The section `network`."""

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.validation import Breach, pattern, refuse
from stacks.config.section import Section

AvailabilityZone = Annotated[
    str,
    pattern(
        r"^[a-z]{2}(-[a-z]+)+-\d[a-z]$",
        "an availability zone: the region's code and a letter",
        "us-east-1a",
    ),
]
# The VPC is cut into 16 equal subnets: three kinds in each of up to three zones, and some to spare.
SUBNET_PREFIX_BITS = 4
# Of each service subnet AWS keeps five addresses; the rest of these are for the VPC's interface endpoints.
ADDRESSES_NOT_FOR_TASKS = 16


class Network(Section):
    """The VPC."""

    cidr: Annotated[IPv4Network, Field(examples=["10.40.0.0/16"])] = IPv4Network("10.40.0.0/16")
    availability_zones: Annotated[
        tuple[AvailabilityZone, ...],
        Field(
            min_length=2,
            max_length=3,
            examples=[["us-east-1a", "us-east-1b", "us-east-1c"]],
            description="Named here so that synthesis looks nothing up.",
        ),
    ]
    nat: Annotated[
        Literal["none", "one", "one-per-zone"],
        Field(description="NAT gateways; with none, tasks reach AWS through VPC endpoints only."),
    ]

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse(self._breaches())
        return self

    @property
    def task_capacity(self) -> int:
        """How many tasks the service subnets hold while a deployment runs as many new ones beside them."""
        addresses = (1 << (32 - self.cidr.prefixlen - SUBNET_PREFIX_BITS)) - ADDRESSES_NOT_FOR_TASKS
        return len(self.availability_zones) * addresses // 2

    def _breaches(self) -> Iterator[Breach]:
        # A VPC has /16 at most; a load balancer wants subnets of /27, which is a sixteenth of /23.
        if not 16 <= self.cidr.prefixlen <= 27 - SUBNET_PREFIX_BITS:
            allowed = "a block from /16 to /23, so that each subnet has room for a load balancer"
            fix = "write 10.40.0.0/16, or another block that overlaps no network you connect to"
            yield Breach(("cidr",), str(self.cidr), allowed, fix)
        for index, zone in enumerate(self.availability_zones):
            if zone in self.availability_zones[:index]:
                path = ("availability_zones", index)
                yield Breach(path, zone, "each zone once", "name another zone of the region")
