"""The sections of config/<environment>.yaml, each with the rules between its own fields."""

import math
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.identity.issuers import Issuer
from gateway.validation import Breach, pattern, refuse

DomainName = Annotated[
    str,
    pattern(
        r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$",
        "a domain name in lower case with at least one dot and none at its end",
        "api.gatehouse.example.com",
    ),
]
AppClientId = Annotated[
    str, pattern(r"^[\w+]{1,128}$", "the ID of a Cognito app client", "1h57kf5cpq17m0eml12EXAMPLE")
]
HostPattern = Annotated[
    str,
    pattern(
        r"^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$",
        "a host name in lower case, or *. and a domain for every host below it",
        "*.example.com",
    ),
]
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
# Memory that Fargate offers for each CPU size, in MiB (ECS task definition parameters for Fargate).
_FARGATE_MEMORY_MIB: dict[int, range | tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Network(_Section):
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


class Service(_Section):
    """The gateway's tasks on ECS Fargate."""

    cpu_units: Annotated[
        Literal[256, 512, 1024, 2048, 4096], Field(description="1024 units are one vCPU.")
    ] = 512
    memory_mib: Annotated[int, Field(ge=512, le=30720)] = 1024
    cpu_architecture: Literal["arm64", "x86_64"] = "arm64"
    minimum_tasks: Annotated[int, Field(ge=1, le=100, examples=[2])]
    maximum_tasks: Annotated[int, Field(ge=1, le=1000, examples=[10])]
    catalog_rollout_minutes: Annotated[
        int, Field(ge=0, le=1440, description="How long a changed model catalog takes to reach all tasks.")
    ] = 5
    bedrock_authentication: Annotated[
        Literal["signature", "bearer"],
        Field(description="Sign each request to Bedrock, or send a short-term API key made once an hour."),
    ] = "signature"
    limits_when_cache_is_away: Annotated[
        Literal["local", "open", "closed"],
        Field(
            description="Without the cache each process enforces its share of every limit (local), none are "
            "enforced (open), or callers with limits are refused (closed)."
        ),
    ] = "local"
    known_keys_minutes: Annotated[
        int, Field(ge=0, le=1440, description="How long API keys hold while the database is away.")
    ] = 60
    usage_retention_months: Annotated[
        int, Field(ge=1, le=120, description="How long single requests stay in the ledger; sums stay.")
    ] = 13
    image_url_hosts: Annotated[
        tuple[HostPattern, ...],
        Field(
            examples=[["images.example.com"]],
            description="From where images are fetched for models that take none by URL; nowhere else.",
        ),
    ] = ()

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse(self._breaches())
        return self

    def _breaches(self) -> Iterator[Breach]:
        sizes = _FARGATE_MEMORY_MIB[self.cpu_units]
        if self.memory_mib not in sizes:
            nearest = min(sizes, key=lambda size: abs(size - self.memory_mib))
            allowed = f"with {self.cpu_units} cpu_units one of {', '.join(map(str, sizes))}"
            yield Breach(("memory_mib",), self.memory_mib, allowed, f"write {nearest} or change cpu_units")
        if self.maximum_tasks < self.minimum_tasks:
            allowed = f"at least minimum_tasks, which is {self.minimum_tasks}"
            fix = f"write {self.minimum_tasks} or more"
            yield Breach(("maximum_tasks",), self.maximum_tasks, allowed, fix)


class Cache(_Section):
    """ElastiCache for Valkey."""

    node_type: Annotated[
        str,
        pattern(
            r"^cache\.[a-z0-9]+\.[a-z0-9]+$", "an ElastiCache node type: cache.family.size", "cache.t4g.small"
        ),
    ]
    replicas: Annotated[
        int,
        Field(
            ge=0,
            le=5,
            examples=[1],
            description="0 is a single node; 1 or more is Multi-AZ with automatic failover.",
        ),
    ]


class Database(_Section):
    """RDS for PostgreSQL."""

    instance_class: Annotated[
        str,
        pattern(
            r"^[a-z0-9]+\.[a-z0-9]+$",
            "an RDS instance class, family.size, without db. before it",
            "t4g.medium",
            "Without the db. prefix.",
        ),
    ]
    storage_gib: Annotated[int, Field(ge=20, le=65536)]
    storage_limit_gib: Annotated[
        int, Field(ge=22, le=65536, examples=[200], description="Storage grows by itself up to this.")
    ]
    multi_az: bool
    backup_days: Annotated[
        int, Field(ge=1, le=35, examples=[7], description="Days a point in time can be restored.")
    ]
    deletion_protection: bool

    @model_validator(mode="after")
    def _storage_can_grow(self) -> Self:
        # RDS refuses a limit that leaves less than a tenth to grow.
        least = math.ceil(self.storage_gib * 1.1)
        if self.storage_limit_gib < least:
            allowed = f"at least a tenth above storage_gib, which is {self.storage_gib}"
            fix = f"write {least} or more"
            refuse([Breach(("storage_limit_gib",), self.storage_limit_gib, allowed, fix)])
        return self


class Edge(_Section):
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


class Identity(_Section):
    """Whose tokens the gateway accepts beside those of its own user pool's machine client."""

    app_client_ids: Annotated[
        tuple[AppClientId, ...],
        Field(
            examples=[["1h57kf5cpq17m0eml12EXAMPLE"]],
            description="Further app clients of the platform's user pool, such as your own applications'.",
        ),
    ] = ()
    issuers: Annotated[
        tuple[Issuer, ...],
        Field(description="Corporate OpenID providers; with network.nat none they cannot be reached."),
    ] = ()
