"""The URL of an image, taken apart by one strict grammar, so that no two readers of it disagree."""

import re
from typing import NamedTuple
from urllib.parse import quote

from gateway.remote_images.errors import ImageError
from gateway.remote_images.hosts import is_host_name

_LONGEST = 8192
_URL = re.compile(r"https://(?P<authority>[^/?#\\]*)(?P<target>[^#]*)(?:#.*)?", re.IGNORECASE | re.DOTALL)
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
# What may stand in a request's target as it is: all that is printable in ASCII.
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class Location(NamedTuple):
    """Where an image is. host: in lower case. target: the path and the query, encoded."""

    host: str
    target: str


def is_remote(url: str) -> bool:
    """Whether a URL is one that somebody would have to fetch."""
    return url[:8].lower().startswith(("http://", "https://"))


def locate(url: str) -> Location:
    """Take a URL apart; raises ImageError for all but https at port 443 of a host that is named."""
    if len(url) > _LONGEST:
        raise ImageError(f"the URL is longer than {_LONGEST} characters")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise ImageError("the URL is not an https URL")
    if _UNSAFE.search(url):
        raise ImageError("the URL holds spaces, backslashes or control characters")
    authority = parts["authority"].lower()
    if "@" in authority:
        raise ImageError("the URL holds a user name or a password")
    host, colon, port = authority.partition(":")
    if colon and port != "443":
        raise ImageError("the URL names an address or a port other than 443")
    if not is_host_name(host):
        raise ImageError("the URL does not name a host: give its name in ASCII, not an address")
    try:
        target = quote(parts["target"], safe=_PRINTABLE)
    except UnicodeEncodeError:
        raise ImageError("the URL holds half of a character") from None
    return Location(host, target if target.startswith("/") else f"/{target}")
