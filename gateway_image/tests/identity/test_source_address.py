from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.identity.source_address import source_address

PROXY = "10.0.0.9"


@pytest.mark.parametrize(
    ("client", "forwarded_for", "hops", "expected"),
    [
        (PROXY, None, 0, PROXY),
        (PROXY, "203.0.113.7", 0, PROXY),
        (PROXY, "203.0.113.7", 1, "203.0.113.7"),
        # What stands before the trusted proxies' entries is made up by whoever sent it.
        (PROXY, "192.0.2.1, 203.0.113.7", 1, "203.0.113.7"),
        (PROXY, "192.0.2.1, 203.0.113.7,10.0.1.1", 2, "203.0.113.7"),
        (PROXY, "192.0.2.1,198.51.100.1,203.0.113.7,  10.0.1.1", 2, "203.0.113.7"),
        (PROXY, "junk, 203.0.113.7", 1, "203.0.113.7"),
        (PROXY, "203.0.113.7:4711", 1, "203.0.113.7"),
        (PROXY, "2001:db8::7", 1, "2001:db8::7"),
        (PROXY, "[2001:db8::7]:4711", 1, "2001:db8::7"),
        (PROXY, "::ffff:203.0.113.7", 1, "203.0.113.7"),
        ("::ffff:203.0.113.7", None, 0, "203.0.113.7"),
        ("fe80::1%eth0", None, 0, "fe80::1"),
        (PROXY, None, 1, PROXY),
        (PROXY, "", 1, PROXY),
        (PROXY, "203.0.113.7", 2, PROXY),
        (PROXY, "203.0.113.7, junk", 1, PROXY),
        (PROXY, "203.0.113.7, 203.0.113.999", 1, PROXY),
        (None, "203.0.113.7", 1, "203.0.113.7"),
        (None, None, 0, None),
        ("/run/socket", None, 0, None),
    ],
)
def test_the_address_by_the_outermost_trusted_proxy(
    client: str | None, forwarded_for: str | None, hops: int, expected: str | None
) -> None:
    found = source_address(client, forwarded_for, hops)
    assert found == (None if expected is None else ip_address(expected))


@settings(deadline=None)
@given(invented=st.text(), hops=st.integers(1, 5))
def test_nothing_that_a_sender_invents_changes_it(invented: str, hops: int) -> None:
    entries = ["203.0.113.7", *["10.0.0.1"] * (hops - 1)]
    assert source_address(PROXY, ",".join([invented, *entries]), hops) == ip_address("203.0.113.7")


@settings(deadline=None)
@given(forwarded_for=st.text(), hops=st.integers(0, 10))
def test_junk_raises_nothing(forwarded_for: str, hops: int) -> None:
    assert source_address(PROXY, forwarded_for, hops) is not None
