"""What must hold between the sections of an environment."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gatehouse import names
from gateway.validation import Breach
from stacks.config.compute import Compute
from stacks.config.edge import Edge
from stacks.config.identity import Identity
from stacks.config.image import Image
from stacks.config.isolation import out_of_reach
from stacks.config.network import Network
from stacks.config.service import Service
from stacks.config.standby import Standby
from stacks.config.standby_rules import standby_does_not_fit

# WebAuthnRelyingPartyID of AWS::Cognito::UserPool; Cognito's API would take 127.
_LONGEST_PASSKEY_HOST = 63


def breaches_between(value: Any, environment: Mapping[str, Any]) -> Iterator[Breach]:
    """The breaches of a section or another setting; `environment` holds the valid ones before it."""
    rules = _RULES.get(type(value))
    if rules is not None:
        yield from rules(value, environment)
    if "network" in environment and environment["network"].nat == "none" and "region" in environment:
        yield from out_of_reach(value, environment["region"])


def _network_does_not_fit(network: Network, environment: Mapping[str, Any]) -> Iterator[Breach]:
    if "region" in environment:
        yield from network.zones_outside(environment["region"], "the environment's region")


def _compute_does_not_fit(compute: Compute, environment: Mapping[str, Any]) -> Iterator[Breach]:
    if "network" in environment:
        yield from _cluster_elsewhere(compute, environment["network"])
        yield from _pods_in_an_unknown_vpc(compute, environment["network"])


def _service_does_not_fit(service: Service, environment: Mapping[str, Any]) -> Iterator[Breach]:
    if "compute" not in environment:
        return
    yield from _not_on_eks(service, environment["compute"])
    if "network" in environment:
        yield from _without_addresses(service, environment["network"], environment["compute"])


def _without_addresses(service: Service, network: Network, compute: Compute) -> Iterator[Breach]:
    capacity = network.task_capacity if compute.platform == "ecs" else network.pod_capacity
    if capacity is not None and service.maximum_tasks > capacity:
        allowed = f"at most {capacity}, for which network.cidr has addresses"
        fix = f"{f'write {capacity} or ' if capacity else ''}give network.cidr a shorter prefix"
        yield Breach(("maximum_tasks",), service.maximum_tasks, allowed, fix)


def _not_on_eks(service: Service, compute: Compute) -> Iterator[Breach]:
    if compute.platform != "eks":
        return
    if service.canary_percent:
        allowed = "0 on EKS, where pods are replaced in turn while the alarms watch"
        yield Breach(("canary_percent",), service.canary_percent, allowed, "write 0")
    if service.spot_percent:
        allowed = "0 on EKS, whose nodes are on demand"
        yield Breach(("spot_percent",), service.spot_percent, allowed, "write 0")


def _cluster_elsewhere(compute: Compute, network: Network) -> Iterator[Breach]:
    if compute.existing is None:
        return
    if network.existing is None:
        allowed = "a cluster that is made here, unless network.existing names the VPC that it is in"
        fix = "name that VPC in network.existing, or remove existing"
        yield Breach(("existing",), compute.existing.name, allowed, fix)
    elif network.endpoints != "none":
        # They take over the services' names in its VPC, and admit neither its nodes nor most of their calls.
        allowed = "a cluster that is made here, unless network.endpoints is none"
        fix = "write none in network.endpoints, or remove existing"
        yield Breach(("existing",), compute.existing.name, allowed, fix)


def _pods_in_an_unknown_vpc(compute: Compute, network: Network) -> Iterator[Breach]:
    if network.existing is None:
        return
    if compute.platform == "eks" and not network.existing.cidrs:
        allowed = (
            "ecs, unless network.existing.cidrs names the VPC's blocks, which network policies open to pods"
        )
        yield Breach(("platform",), "eks", allowed, "name them there, or write ecs")
    if compute.platform == "ecs" and network.existing.cidrs:
        allowed = "eks, as network.existing names cidrs, which are for the network policies of pods alone"
        yield Breach(("platform",), "ecs", allowed, "remove network.existing.cidrs, or write eks")


def _edge_does_not_fit(edge: Edge, environment: Mapping[str, Any]) -> Iterator[Breach]:
    if "network" in environment:
        yield from _no_public_subnets(edge, environment["network"])
    if "region" in environment:
        yield from _certificate_elsewhere(edge, environment["region"])
    if "service" in environment:
        yield from _rules_beside_a_canary(edge, environment["service"])


def _no_public_subnets(edge: Edge, network: Network) -> Iterator[Breach]:
    existing = network.existing
    if edge.scheme == "internet-facing" and existing is not None and not existing.public_subnet_ids:
        allowed = "internal, as network.existing names no public subnets"
        yield Breach(("scheme",), edge.scheme, allowed, "write internal, or name public_subnet_ids")


def _image_does_not_fit(image: Image, environment: Mapping[str, Any]) -> Iterator[Breach]:
    if environment.get("region") in image.replicate_to:
        yield Breach(
            ("replicate_to", image.replicate_to.index(environment["region"])),
            environment["region"],
            "another region than the environment's, where the images are",
            "remove it",
        )
    service = environment.get("service")
    if service and service.memory_mib < image.minimum_memory_mib:
        allowed = f"a gateway that runs in service.memory_mib, which is {service.memory_mib}"
        fix = f"write {image.minimum_memory_mib} or more in service.memory_mib"
        yield Breach(("profile",), image.profile, allowed, fix)


def _certificate_elsewhere(edge: Edge, region: str) -> Iterator[Breach]:
    if edge.certificate_arn is not None and f":acm:{region}:" not in edge.certificate_arn:
        allowed = f"a certificate in {region}, the environment's region"
        fix = "create or import the certificate there too and write its ARN"
        yield Breach(("certificate_arn",), edge.certificate_arn, allowed, fix)


def _rules_beside_a_canary(edge: Edge, service: Service) -> Iterator[Breach]:
    # ECS moves the weights of one rule; another would go on sending requests to tasks that are gone.
    if service.canary_percent == 0:
        return
    fix = "write {}, or 0 in service.canary_percent"
    allowed = "{} with a canary, during which ECS keeps one rule of the load balancer up to date"
    if edge.verify_tokens:
        yield Breach(("verify_tokens",), True, allowed.format("false"), fix.format("false"))
    if edge.sign_in_paths:
        yield Breach(("sign_in_paths",), edge.sign_in_paths, allowed.format("none"), fix.format("[]"))


def _tokens_of_others(identity: Identity, edge: Edge) -> Iterator[Breach]:
    if edge.verify_tokens and identity.issuers:
        given = tuple(issuer.issuer for issuer in identity.issuers)
        allowed = "none with edge.verify_tokens, which knows the keys of the user pool alone"
        yield Breach(("issuers",), given, allowed, "remove them, or write false in edge.verify_tokens")


def _identity_does_not_fit(identity: Identity, environment: Mapping[str, Any]) -> Iterator[Breach]:
    if "edge" in environment:
        yield from _names_outside_the_zone(identity, environment["edge"].hosted_zone_name)
        yield from _tokens_of_others(identity, environment["edge"])
    if environment.keys() >= {"name", "account", "region"}:
        yield from _too_long_for_passkeys(identity, environment)


def _too_long_for_passkeys(identity: Identity, environment: Mapping[str, Any]) -> Iterator[Breach]:
    own = identity.domain
    cognitos = names.sign_in_host(environment["name"], environment["account"], environment["region"])
    host = own.domain_name if own is not None else cognitos
    if len(host) > _LONGEST_PASSKEY_HOST:
        path = ("domain", "domain_name") if own is not None else ("domain",)
        allowed = f"a name of at most {_LONGEST_PASSKEY_HOST} characters, to which Cognito binds passkeys"
        yield Breach(path, host, allowed, "name a shorter one of your own in domain.domain_name")


def _names_outside_the_zone(identity: Identity, zone: str) -> Iterator[Breach]:
    allowed = f"in {zone}, which is edge.hosted_zone_name: records for it are written there"
    fix = f"use {zone} or a name below it"
    mail, domain = identity.mail, identity.domain
    if mail is not None and not f".{mail.domain}".endswith(f".{zone}"):
        yield Breach(("mail", "from_address"), mail.from_address, allowed, fix)
    if domain is not None and not f".{domain.domain_name}".endswith(f".{zone}"):
        yield Breach(("domain", "domain_name"), domain.domain_name, allowed, fix)


_RULES: Mapping[type, Callable[[Any, Mapping[str, Any]], Iterator[Breach]]] = {
    Network: _network_does_not_fit,
    Compute: _compute_does_not_fit,
    Service: _service_does_not_fit,
    Edge: _edge_does_not_fit,
    Identity: _identity_does_not_fit,
    Image: _image_does_not_fit,
    Standby: standby_does_not_fit,
}
