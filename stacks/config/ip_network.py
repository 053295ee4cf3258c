"""Networks, of IPv4 or IPv6 addresses."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import Field, IPvAnyNetwork

from gateway.validation import Breach

IpNetwork = Annotated[IPvAnyNetwork, Field(examples=["192.0.2.0/24"])]


def listed_twice(path: tuple[str, ...], networks: Sequence[IPv4Network | IPv6Network]) -> Iterator[Breach]:
    """Every network of the list at `path` that stands further up in it already."""
    seen = set()
    for index, network in enumerate(networks):
        if network in seen:
            yield _twice((*path, index), network)
        seen.add(network)


def overlapping(
    path: tuple[str, ...], networks: Sequence[IPv4Network] | Sequence[IPv4Network | IPv6Network]
) -> Iterator[Breach]:
    """Every network of the list at `path` that another one of it is or holds."""
    outer: IPv4Network | IPv6Network | None = None
    # Of two networks one holds the other or they have nothing in common: what follows within it is inside.
    for index, network in sorted(enumerate(networks), key=_place):
        if outer is None or not outer.overlaps(network):
            outer = network
        elif outer == network:
            yield _twice((*path, index), network)
        else:
            allowed = f"networks that do not overlap: {outer} of the same list holds it"
            yield Breach((*path, index), str(network), allowed, f"remove it, or name parts of {outer}")


def _twice(path: tuple[str | int, ...], network: IPv4Network | IPv6Network) -> Breach:
    return Breach(path, str(network), "each network once", "remove it")


def _place(listed: tuple[int, IPv4Network | IPv6Network]) -> tuple[int, int, int, int]:
    index, network = listed
    return network.version, int(network.network_address), network.prefixlen, index
