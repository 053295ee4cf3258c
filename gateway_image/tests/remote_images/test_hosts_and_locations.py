"""Which URLs are looked at at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.remote_images.addresses import is_public
from gateway.remote_images.errors import ImageError
from gateway.remote_images.hosts import ImageHosts, parse_image_hosts
from gateway.remote_images.location import Location, locate

HOSTS = parse_image_hosts('["images.example.com", "*.cdn.example.org", "IMG.example.net"]')


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("images.example.com", True),
        ("img.example.net", True),
        ("a.cdn.example.org", True),
        ("a.b.cdn.example.org", True),
        ("cdn.example.org", False),
        ("evilcdn.example.org", False),
        ("example.com", False),
        ("images.example.com.evil.net", False),
        ("ximages.example.com", False),
        ("", False),
    ],
)
def test_hosts_are_allowed_by_name(host: str, allowed: bool) -> None:
    assert HOSTS.allow(host) is allowed


def test_no_list_allows_nothing_and_a_star_every_name() -> None:
    assert not parse_image_hosts("[]")
    assert not parse_image_hosts("[]").allow("images.example.com")
    anything = parse_image_hosts('["*"]')
    assert anything
    assert anything.allow("images.example.com")
    for address in ("127.0.0.1", "2130706433", "0x7f.1", "0x7f000001", "127.1", "::1", "[::1]", "a.0177"):
        assert not anything.allow(address)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not a JSON array"),
        ("images.example.com", "not a JSON array"),
        ('{"a": 1}', "not a JSON array"),
        ('["https://a.example.com"]', "entry 1"),
        ('["a.example.com", 1, "b..example.com"]', "entry 2 .* entry 3 "),
        ('["10.0.0.1"]', "entry 1"),
        ('["*.*.example.com"]', "entry 1"),
        ('["*example.com"]', "entry 1"),
        ('["a.example.com:443"]', "entry 1"),
        ('["bücher.example"]', "entry 1"),
        ('["a.example.com\\n"]', "entry 1"),
    ],
)
def test_a_list_that_is_wrong_is_told_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_image_hosts(text)


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://a.example.com/i.png?x=1&y=%2F#f", Location("a.example.com", "/i.png?x=1&y=%2F")),
        ("HTTPS://A.Example.COM:443", Location("a.example.com", "/")),
        ("https://a.example.com?x", Location("a.example.com", "/?x")),
        ("https://a.example.com/größe.png", Location("a.example.com", "/gr%C3%B6%C3%9Fe.png")),
        ("https://a.example.com//@b.example/", Location("a.example.com", "//@b.example/")),
    ],
)
def test_urls_that_are_sound(url: str, location: Location) -> None:
    assert locate(url) == location


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example.com/",
        "ftp://a.example.com/",
        "file:///etc/passwd",
        "//a.example.com/",
        "https:/a.example.com/",
        "https:a.example.com",
        "https://",
        "https:///x",
        "https://a.example.com:8443/",
        "https://a.example.com:/",
        "https://a.example.com:0443/",
        "https://user@a.example.com/",
        "https://user:pass@a.example.com/",
        "https://a.example.com@b.example.com/",
        "https://a.example.com\\@b.example.com/",
        "https://a.example.com\\.b.example.com/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://a.example.com./",
        "https://.example.com/",
        "https://a..example.com/",
        "https://a.example.com%2f.b.example.com/",
        "https://ａ.example.com/",
        "https://a。example.com/",
        "https://a.example.com/\r\nx: y",
        "https://a.example.com/ x",
        "https://a.example.com/\t",
        "https://a.example.com/\x00",
        " https://a.example.com/",
        "https://a.example.com/\ud800",
        "https://a.example.com/" + "x" * 9000,
    ],
)
def test_urls_that_could_mean_something_else(url: str) -> None:
    with pytest.raises(ImageError):
        locate(url)


@given(st.text(max_size=60).map(lambda text: f"https://{text}"))
def test_whatever_is_taken_is_a_name_and_a_line(url: str) -> None:
    try:
        host, target = locate(url)
    except ImageError:
        return
    assert ImageHosts(any=True).allow(host)
    assert target.isascii()
    assert target.isprintable()
    assert " " not in target


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1%eth0",
        "fec0::1",
        "ff02::1",
        "",
        "localhost",
        "8.8.8.8 ",
        "08.8.8.8",
        "8.8.8",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700:4700::1111", "2a00::1"]
)
def test_addresses_that_are(address: str) -> None:
    assert is_public(address)
