"""What must hold of a request's head beyond what the HTTP parser checks (RFC 9112)."""

from collections.abc import Sequence

_VERSIONS = ("1.1", "1.0")
_ABSOLUTE = (b"http://", b"https://")
# More than any client sends.
_MOST_FIELDS = 256


def problem_of_head(version: str, target: bytes, fields: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Say why a head is refused: what proxies in front may understand otherwise than this gateway.

    version: such as 1.1. fields: names in lower case, and values. Returns None for a sound head.
    """
    if version not in _VERSIONS:
        return f"The request is HTTP/{version}."
    names = [name for name, _ in fields]
    hosts = names.count(b"host")
    if hosts != 1 and (hosts or version == "1.1"):
        return f"The request has {hosts} host headers instead of one."
    if b"transfer-encoding" in names:
        codings = [value.strip().lower() for name, value in fields if name == b"transfer-encoding"]
        # Another coding would have to be undone; and HTTP/1.0 has none, so that a proxy may see no body.
        if codings != [b"chunked"] or version == "1.0":
            return "The request's transfer-encoding is not chunked, once and in HTTP/1.1."
    if not target.startswith((b"/", b"*")) and not target.lower().startswith(_ABSOLUTE):
        return "The request's target is neither a path nor an http URL."
    return None


def has_too_many_fields(fields: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether there are more headers than the gateway looks at."""
    return len(fields) > _MOST_FIELDS


def without_upgrade(
    version: str, method: bytes, target: bytes, fields: Sequence[tuple[bytes, bytes]]
) -> bytes:
    """The same head without the wish for another protocol, which a server may ignore."""
    kept = b"".join(b"%b: %b\r\n" % field for field in fields if field[0] != b"upgrade")
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, target, version.encode(), kept)
