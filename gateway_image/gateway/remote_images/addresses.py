"""Which addresses images may be fetched from: those of the public internet.

The standard library's is_global changes with its patch releases, so that the rules are written out here
(IANA's registries of special-purpose addresses).
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

_NOT_PUBLIC_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers, and inside clouds
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local: metadata and credentials of AWS
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# Everything else is private, link-local, multicast, reserved or an IPv4 address in another form: mapped
# (::ffff:0:0/96), translated (64:ff9b::/96, 64:ff9b:1::/48) or compatible (::/96).
_GLOBAL_UNICAST_IPV6 = IPv6Network("2000::/3")
_NOT_PUBLIC_IPV6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, which holds IPv4 addresses, ORCHID and others
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds IPv4 addresses
        "3fff::/20",  # documentation
    )
)


def is_public(address: str) -> bool:
    """Whether an IPv4 or IPv6 address is one host's on the public internet."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _NOT_PUBLIC_IPV4)
    # A zone ID belongs to link-local addresses alone.
    if parsed.scope_id is not None or parsed not in _GLOBAL_UNICAST_IPV6:
        return False
    return not any(parsed in network for network in _NOT_PUBLIC_IPV6)
