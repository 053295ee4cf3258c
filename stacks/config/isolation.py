"""What an environment without NAT cannot use: whatever lies beyond the endpoints of its VPC."""

from collections.abc import Iterable, Iterator

from gateway.validation import Breach
from stacks.config.edge import Edge
from stacks.config.identity import Identity
from stacks.config.image import Image
from stacks.config.section import Section
from stacks.config.service import Service

_FIX = "remove it, or set network.nat to one or one-per-zone"


def out_of_reach(section: Section, region: str) -> Iterator[Breach]:
    """The settings of a section that need a way out of the VPC."""
    if isinstance(section, Service):
        allowed = "nothing, as network.nat is none: images are fetched from hosts that no endpoint leads to"
        yield from _each("image_url_hosts", section.image_url_hosts, allowed)
        if (image := section.collector_image) is not None:
            yield from _image("collector_image", image, region, "copy it there, or write null")
    if isinstance(section, Edge) and section.scheme == "internal":
        reason = "as network.nat is none: an internal load balancer cannot reach who issues tokens"
        if section.verify_tokens:
            yield Breach(("verify_tokens",), True, f"false, {reason}", _FIX)
        yield from _each("sign_in_paths", section.sign_in_paths, f"none, {reason}")
    if isinstance(section, Identity):
        # Cognito answers through an endpoint for no user pool that has a domain, and the platform's has one.
        allowed = "nothing, as network.nat is none: the keys that tokens are verified with cannot be fetched"
        for field in ("machine_clients", "app_client_ids"):
            yield from _each(field, getattr(section, field), allowed)
        yield from _each("issuers", [issuer.issuer for issuer in section.issuers], allowed)
    if isinstance(section, Image) and section.uri is not None:
        yield from _image("uri", section.uri, region, "copy the image there and name the copy")


def _image(field: str, uri: str, region: str, fix: str) -> Iterator[Breach]:
    if f".dkr.ecr.{region}." not in uri.partition("/")[0]:
        yield Breach((field,), uri, f"an image in Amazon ECR in {region}, as network.nat is none", fix)


def _each(field: str, values: Iterable[str], allowed: str) -> Iterator[Breach]:
    for index, value in enumerate(values):
        yield Breach((field, index), value, allowed, _FIX)
