"""Where a request comes from, behind proxies that say so."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from gateway.callers import Address


def source_address(scope_client: str | None, forwarded_for: str | None, hops: int) -> Address | None:
    """The address that a request was sent from; None if it cannot be known.

    scope_client: the other end of the connection. forwarded_for: the header X-Forwarded-For. hops: how many
    trusted proxies are in front. Each adds whom it heard from at the end, so that the entry so many from the
    end is the outermost one's word, and what stands before it is the sender's own invention.
    """
    if hops and forwarded_for is not None:
        entries = forwarded_for.rsplit(",", hops)[-hops:]
        if len(entries) == hops and (address := _address(entries[0].strip())) is not None:
            return address
    return None if scope_client is None else _address(scope_client)


def _address(text: str) -> Address | None:
    """Read an address, also with a port, as load balancers can be told to add."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        # The zone of a link-local address means something on the machine that wrote it alone.
        address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
