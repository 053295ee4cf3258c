"""What must hold between a standby and the rest of its environment.

No environment has to have a standby: what a second region costs, and whether data may be there, is for its
owner to say.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.validation import Breach, dotted
from stacks.config import parity
from stacks.config.compute import Compute
from stacks.config.edge import Edge
from stacks.config.image import Image
from stacks.config.isolation import out_of_reach
from stacks.config.model_access import guardrail_scope
from stacks.config.network import Network
from stacks.config.requirements import unmet
from stacks.config.service import Service
from stacks.config.standby import Standby


def standby_does_not_fit(standby: Standby, environment: Mapping[str, Any]) -> Iterator[Breach]:
    """The breaches; `environment` holds those of the other settings that are valid by themselves."""
    if standby.region is None or standby.network is None:
        return
    if "region" in environment:
        yield from _region_does_not_fit(standby.region, environment)
    yield from _network_does_not_fit(standby.network, standby.region, environment)
    if "service" in environment:
        yield from _tasks_do_not_fit(standby, standby.network, environment)
    if "edge" in environment:
        yield from _edge_does_not_fit(standby, standby.network, environment["edge"])
    if "edge" in environment and "network" in environment:
        yield from _addresses_do_not_fit(standby.network, environment["network"], environment["edge"])
    if "identity" in environment and environment["identity"].domain is None:
        # docs.aws.amazon.com/cognito-user-identity-pools, CreateUserPoolDomain: Routing.
        allowed = "none without identity.domain: Cognito lets no sign-in page under its own names move"
        yield Breach(("mode",), standby.mode, allowed, "write none, or name a domain in identity.domain")
    if "image" in environment:
        yield from _image_does_not_fit(standby, environment["image"])
    if "compute" in environment:
        yield from _compute_does_not_fit(standby, standby.network, environment["compute"])


def _region_does_not_fit(region: str, environment: Mapping[str, Any]) -> Iterator[Breach]:
    if region == environment["region"]:
        allowed = "another region than the environment's, which it takes over from"
        yield Breach(("region",), region, allowed, "write another region")
        return
    for each, whose in ((region, "the standby's"), (environment["region"], "the environment's")):
        if not parity.is_known(each):
            allowed = f"a pair of regions of which it is known what they have; {each}, {whose}, is none"
            fix = f"write another region, or add {each} to stacks/config/{parity.TABLE.name}"
            yield Breach(("region",), region, allowed, fix)
        elif missing := parity.lacking(each, environment):
            services = " and no ".join(missing)
            allowed = (
                f"a pair of regions with all that both need; {each}, {whose}, has no {services} as of "
                f"{parity.as_of()}"
            )
            fix = f"write another region, or mend stacks/config/{parity.TABLE.name}"
            yield Breach(("region",), region, allowed, fix)
    guardrail = environment["model_access"].guardrail if "model_access" in environment else None
    if guardrail is not None and guardrail.tier == "standard" and guardrail_scope(region) is None:
        allowed = "a region with guardrail profiles, as model_access.guardrail.tier is standard"
        yield Breach(("region",), region, allowed, "set the tier to classic or write another region")


def _network_does_not_fit(network: Network, region: str, environment: Mapping[str, Any]) -> Iterator[Breach]:
    """What holds for the environment's own network, and that both can be connected to a third one."""
    if "name" in environment:
        for breach in unmet(environment["name"], "network", network):
            yield breach._replace(path=("network", *breach.path))
    if settings := list(_beyond_the_network(network, region, environment)):
        allowed = f"one or one-per-zone, as {', '.join(settings)} cannot do without"
        yield Breach(("network", "nat"), "none", allowed, "write one-per-zone, or remove what needs it")
    other: Network | None = environment.get("network")
    if other is None or other.existing is not None or network.existing is not None:
        return
    if network.cidr.overlaps(other.cidr):
        # Nothing connects the two, but whoever calls from a network that both are connected to reaches one.
        allowed = f"a block that does not overlap {other.cidr}, which is network.cidr"
        yield Breach(("network", "cidr"), str(network.cidr), allowed, "write another block")


def _compute_does_not_fit(standby: Standby, network: Network, compute: Compute) -> Iterator[Breach]:
    if compute.existing is not None:
        allowed = "none with compute.existing, which names a cluster in one region"
        yield Breach(("mode",), standby.mode, allowed, "write none, or remove compute.existing")
    if not compute.apply:
        allowed = (
            "none with compute.apply false: a recovery changes sizes that your own tool would change back"
        )
        yield Breach(("mode",), standby.mode, allowed, "write none, or true in compute.apply")
    # The blocks of an existing VPC are for network policies: pods cannot do without, tasks have none.
    if network.existing is None or bool(network.existing.cidrs) == (compute.platform == "eks"):
        return
    path, given = ("network", "existing", "cidrs"), ", ".join(map(str, network.existing.cidrs)) or "empty"
    if compute.platform == "eks":
        allowed = "the VPC's blocks, as compute.platform is eks"
        yield Breach(path, given, allowed, "name them: network policies open them to pods")
    else:
        yield Breach(path, given, "left out, as compute.platform is ecs", "remove it")


def _beyond_the_network(network: Network, region: str, environment: Mapping[str, Any]) -> Iterator[str]:
    """The settings that the standby's network has no way out for."""
    if network.nat != "none" or "region" not in environment:
        return
    for name in ("service", "edge", "identity"):
        section = environment.get(name)
        if isinstance(section, Service):
            section = section.moved(environment["region"], region)
        if section is not None:
            yield from (dotted((name, *breach.path)) for breach in out_of_reach(section, region))


def _tasks_do_not_fit(standby: Standby, network: Network, environment: Mapping[str, Any]) -> Iterator[Breach]:
    service: Service = environment["service"]
    if standby.minimum_tasks > service.maximum_tasks:
        allowed = f"at most service.maximum_tasks, which is {service.maximum_tasks}"
        yield Breach(
            ("minimum_tasks",), standby.minimum_tasks, allowed, f"write {service.maximum_tasks} or less"
        )
    if "compute" not in environment:
        return
    compute: Compute = environment["compute"]
    capacity = network.task_capacity if compute.platform == "ecs" else network.pod_capacity
    if capacity is not None and service.maximum_tasks > capacity:
        allowed = f"a block with addresses for {service.maximum_tasks} tasks, which is service.maximum_tasks"
        fix = f"write a shorter prefix: this one has addresses for {capacity}"
        yield Breach(("network", "cidr"), str(network.cidr), allowed, fix)


def _edge_does_not_fit(standby: Standby, network: Network, edge: Edge) -> Iterator[Breach]:
    existing = network.existing
    if edge.scheme == "internet-facing" and existing is not None and not existing.public_subnet_ids:
        allowed = "one ID for each of availability_zones, as edge.scheme is internet-facing"
        path = ("network", "existing", "public_subnet_ids")
        yield Breach(path, "empty", allowed, "name them, or write internal in edge.scheme")
    if edge.sign_in_paths:
        # docs.aws.amazon.com/cognito, "User pool issuer types".
        allowed = "none with edge.sign_in_paths: no load balancer signs in with the issuer of two regions"
        yield Breach(("mode",), standby.mode, allowed, "write none, or [] in edge.sign_in_paths")
    if (edge.certificate_arn is None) != (standby.certificate_arn is None):
        allowed = "a certificate in both regions or in neither"
        fix = "write both standby.certificate_arn and edge.certificate_arn, or remove both"
        yield Breach(("certificate_arn",), standby.certificate_arn, allowed, fix)
    elif standby.certificate_arn is not None and f":acm:{standby.region}:" not in standby.certificate_arn:
        allowed = f"a certificate in {standby.region}, the standby's region"
        fix = "create or import the certificate there too and write its ARN"
        yield Breach(("certificate_arn",), standby.certificate_arn, allowed, fix)


def _addresses_do_not_fit(network: Network, other: Network, edge: Edge) -> Iterator[Breach]:
    """A name with addresses of IPv6 in one region alone would lead callers there when it is lost."""
    if edge.admits_ipv6 and network.ipv6 != other.ipv6:
        allowed = f"{str(other.ipv6).lower()}, as network.ipv6, for callers of IPv6 go from one to the other"
        yield Breach(("network", "ipv6"), network.ipv6, allowed, f"write {str(other.ipv6).lower()}")


def _image_does_not_fit(standby: Standby, image: Image) -> Iterator[Breach]:
    if image.profile != "gatehouse":
        allowed = "none with another gateway's image, whose data are not known well enough to be moved"
        yield Breach(("mode",), standby.mode, allowed, "write none, or use the bundled gateway")
    if standby.region in image.replicate_to:
        allowed = "a region that image.replicate_to does not name, as the standby gets each image anyway"
        yield Breach(("region",), standby.region, allowed, "remove it from image.replicate_to")
