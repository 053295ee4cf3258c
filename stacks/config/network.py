"""The section `network`."""

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.validation import Breach, pattern, refuse
from stacks.config.ip_network import overlapping
from stacks.config.section import Section

AvailabilityZone = Annotated[
    str,
    pattern(
        r"^[a-z]{2}(-[a-z]+)+-\d[a-z]$",
        "an availability zone: the region's code and a letter",
        "us-east-1a",
    ),
]
VpcId = Annotated[str, pattern(r"^vpc-[0-9a-f]{8,17}$", "the ID of a VPC", "vpc-0123456789abcdef0")]
SubnetId = Annotated[
    str, pattern(r"^subnet-[0-9a-f]{8,17}$", "the ID of a subnet", "subnet-0123456789abcdef0")
]
RouteTableId = Annotated[
    str, pattern(r"^rtb-[0-9a-f]{8,17}$", "the ID of a route table", "rtb-0123456789abcdef0")
]
# The VPC is cut into 16 equal subnets: three kinds in each of up to three zones, and some to spare.
SUBNET_PREFIX_BITS = 4
# Of each service subnet AWS keeps five addresses and an internal load balancer wants eight; the rest of these
# are for the VPC's interface endpoints.
ADDRESSES_NOT_FOR_TASKS = 26
# On EKS more endpoints, 16 for the cluster's control plane, and some for the nodes of its add-ons.
ADDRESSES_NOT_FOR_PODS = 54
# Of a pod with a node to itself: its own, the node's, and those of four pods that run on every node.
ADDRESSES_OF_A_POD = 6
# Of a rollout, and of nodes that are replaced meanwhile.
PODS_BESIDE = 1.35


class ExistingVpc(Section):
    """A VPC that is already there; every list has one ID for each availability zone, in their order."""

    vpc_id: VpcId
    public_subnet_ids: Annotated[
        tuple[SubnetId, ...], Field(description="Of the load balancer, if it is internet-facing.")
    ] = ()
    service_subnet_ids: Annotated[
        tuple[SubnetId, ...],
        Field(description="Of the tasks, the interface endpoints and an internal load balancer."),
    ]
    data_subnet_ids: Annotated[
        tuple[SubnetId, ...], Field(description="Of the database and the cache: they need no route out.")
    ]
    service_route_table_ids: Annotated[
        tuple[RouteTableId, ...],
        Field(description="Of the service subnets, for the endpoint of S3; one may stand for several."),
    ] = ()
    cidrs: Annotated[
        tuple[IPv4Network, ...],
        Field(
            # The most that AWS lets a VPC have.
            max_length=50,
            examples=[["10.60.0.0/16"]],
            description="Its blocks, or those of the subnets above alone; needed with compute.platform eks: "
            "network policies let pods be reached from these, and reach database and cache in these.",
        ),
    ] = ()


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
        Field(
            description="NAT gateways; with none, tasks reach AWS through VPC endpoints only. Of an existing "
            "VPC: what it has."
        ),
    ]
    endpoints: Annotated[
        Literal["all", "s3", "none"],
        Field(
            description="For all AWS services that tasks call; for s3 alone, which costs nothing, and the "
            "rest through NAT; or none, in an existing VPC that has them."
        ),
    ] = "all"
    ipv6: Annotated[
        bool,
        Field(description="Blocks of IPv6 addresses beside those of IPv4; an existing VPC has to have them."),
    ] = False
    existing: Annotated[ExistingVpc | None, Field(description="Use this VPC; without it one is made.")] = None

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse(self._breaches())
        return self

    @property
    def task_capacity(self) -> int | None:
        """How many tasks the service subnets hold while a deployment runs as many new ones beside them.

        None in an existing VPC, whose subnets may be of any size.
        """
        if self.existing is not None:
            return None
        addresses = (1 << (32 - self.cidr.prefixlen - SUBNET_PREFIX_BITS)) - ADDRESSES_NOT_FOR_TASKS
        return len(self.availability_zones) * addresses // 2

    @property
    def pod_capacity(self) -> int | None:
        """The same of pods on EKS, each of which may need a node."""
        if self.existing is not None:
            return None
        addresses = (1 << (32 - self.cidr.prefixlen - SUBNET_PREFIX_BITS)) - ADDRESSES_NOT_FOR_PODS
        pods = len(self.availability_zones) * addresses / (ADDRESSES_OF_A_POD * PODS_BESIDE)
        return max(0, int(pods))

    def zones_outside(self, region: str, setting: str, path: tuple[str, ...] = ()) -> Iterator[Breach]:
        """Every zone that is not of `region`, which is the value of `setting`."""
        for index, zone in enumerate(self.availability_zones):
            if zone[:-1] != region:
                fix = f"write {region}{zone[-1]} or change {setting}"
                yield Breach(
                    (*path, "availability_zones", index), zone, f"a zone of {region}, {setting}", fix
                )

    def _breaches(self) -> Iterator[Breach]:
        for index, zone in enumerate(self.availability_zones):
            if zone in self.availability_zones[:index]:
                path = ("availability_zones", index)
                yield Breach(path, zone, "each zone once", "name another zone of the region")
        if self.endpoints == "s3" and self.nat == "none":
            allowed = "all, or none in an existing VPC that has them, as nat is none"
            yield Breach(("endpoints",), "s3", allowed, "write all, or set nat to one or one-per-zone")
        yield from self._of_a_new_vpc() if self.existing is None else self._of_an_existing_vpc(self.existing)

    def _of_a_new_vpc(self) -> Iterator[Breach]:
        # A VPC has /16 at most; a load balancer wants subnets of /27, which is a sixteenth of /23.
        if not 16 <= self.cidr.prefixlen <= 27 - SUBNET_PREFIX_BITS:
            allowed = "a block from /16 to /23, so that each subnet has room for a load balancer"
            fix = "write 10.40.0.0/16, or another block that overlaps no network you connect to"
            yield Breach(("cidr",), str(self.cidr), allowed, fix)
        if self.endpoints == "none":
            allowed = "all or s3: a VPC that is made here has no others"
            yield Breach(("endpoints",), "none", allowed, "write all, or name an existing VPC")

    def _of_an_existing_vpc(self, existing: ExistingVpc) -> Iterator[Breach]:
        if "cidr" in self.model_fields_set:
            allowed = "left out beside existing, whose VPC has its own"
            yield Breach(("cidr",), str(self.cidr), allowed, "remove cidr")
        lists = {
            "public_subnet_ids": existing.public_subnet_ids,
            "service_subnet_ids": existing.service_subnet_ids,
            "data_subnet_ids": existing.data_subnet_ids,
        }
        if self.endpoints != "none":
            lists["service_route_table_ids"] = existing.service_route_table_ids
        zones = len(self.availability_zones)
        for name, ids in lists.items():
            if len(ids) != zones and (ids or name != "public_subnet_ids"):
                allowed = f"{zones} IDs, one for each of availability_zones"
                yield Breach(("existing", name), ", ".join(ids) or "empty", allowed, "name one for each zone")
        yield from _repeated(lists)
        yield from _no_blocks_of_a_vpc(existing.cidrs)


def _no_blocks_of_a_vpc(cidrs: tuple[IPv4Network, ...]) -> Iterator[Breach]:
    yield from overlapping(("existing", "cidrs"), cidrs)
    for index, cidr in enumerate(cidrs):
        if not 16 <= cidr.prefixlen <= 28:
            allowed = "a block of a VPC, from /16 to /28"
            fix = "write the blocks that `aws ec2 describe-vpcs` shows in CidrBlockAssociationSet"
            yield Breach(("existing", "cidrs", index), str(cidr), allowed, fix)


def _repeated(lists: dict[str, tuple[str, ...]]) -> Iterator[Breach]:
    seen: set[str] = set()
    for name, ids in lists.items():
        for index, subnet in enumerate(ids):
            if subnet in seen and name != "service_route_table_ids":
                path = ("existing", name, index)
                yield Breach(path, subnet, "each subnet once", "name a subnet of its own")
            seen.add(subnet)
