"""What must hold of a JSON body before any part of it is decoded: its encoding, and how deep it is nested."""

from codecs import getincrementaldecoder
from collections.abc import Iterator
from itertools import accumulate

from gateway.errors import invalid_request

# In a thread, no single step over so many bytes holds the interpreter for longer than some milliseconds.
_WINDOW_BYTES = 128 * 1024
_ALL_BUT_MARKS = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_utf8_decoder = getincrementaldecoder("utf-8")
_STEPS = tuple(1 if byte in b"[{" else -1 for byte in range(256))


def check_encoding(body: bytes) -> None:
    """Raise GatewayError 400 if a body is not UTF-8: what decodes a part of it would pass the rest on."""
    if body.isascii():
        return
    decoder = _utf8_decoder()
    try:
        for start in range(0, len(body), _WINDOW_BYTES):
            decoder.decode(body[start : start + _WINDOW_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise invalid_request(
            "The body is not UTF-8; send JSON in UTF-8.", param=None, code="invalid_json"
        ) from None


def check_depth(body: bytes, limit: int) -> None:
    """Raise GatewayError 400 if JSON has more than `limit` objects and arrays inside each other.

    What reads it further on may recurse.
    Text that is no JSON is judged somehow: decoding refuses it.
    """
    # Most bodies have too few brackets for that, wherever they stand.
    if _opening_brackets(body) <= limit:
        return
    depth = 0
    for brackets in _brackets_outside_strings(body):
        depths = list(accumulate(map(_STEPS.__getitem__, brackets), initial=depth))
        if max(depths) > limit:
            raise invalid_request(
                f"The body is nested more than {limit} levels deep; flatten it.",
                param=None,
                code="json_too_deep",
            )
        depth = depths[-1]


def _opening_brackets(body: bytes) -> int:
    if len(body) <= _WINDOW_BYTES:
        return body.count(b"[") + body.count(b"{")
    return sum(
        body.count(b"[", start, start + _WINDOW_BYTES) + body.count(b"{", start, start + _WINDOW_BYTES)
        for start in range(0, len(body), _WINDOW_BYTES)
    )


def _brackets_outside_strings(body: bytes) -> Iterator[bytes]:
    in_string = False
    for window in _windows(body):
        # Escaped backslashes first: the quote after one ends its string.
        unescaped = window.replace(b"\\\\", b"").replace(b'\\"', b"")
        parts = unescaped.translate(None, _ALL_BUT_MARKS).split(b'"')
        yield b"".join(parts[in_string::2])
        in_string ^= len(parts) % 2 == 0


def _windows(body: bytes) -> Iterator[bytes]:
    """The body in pieces, none of which ends between a backslash and what it escapes."""
    start = 0
    while start < len(body):
        window = body[start : start + _WINDOW_BYTES]
        backslashes = len(window) - len(window.rstrip(b"\\"))
        if backslashes % 2:
            window = body[start : start + _WINDOW_BYTES + 1]
        yield window
        start += len(window)
