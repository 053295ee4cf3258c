"""The AWS event stream encoding (application/vnd.amazon.eventstream).

A message is a prelude (total length, headers' length, CRC-32 of those eight bytes), headers, payload
and a CRC-32 of everything before it; all integers are big-endian.
"""

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from zlib import crc32

from local.bedrock_simulator.compact_json import compact_json

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_STRING = 7
_PRELUDE_AND_CHECKSUMS = 16


def encode_message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message with string headers.

    Names are at most 255 and values at most 65,535 bytes of UTF-8; struct.error is raised beyond that.
    """
    return _frame(b"".join(_encode_header(name, value) for name, value in headers.items()), payload)


def encode_event(event_type: str, payload: Mapping[str, Any]) -> bytes:
    """An event of a Bedrock stream, such as contentBlockDelta or chunk."""
    return _frame(_headers("event", "event-type", event_type), compact_json(payload).encode())


def encode_exception(exception_type: str, payload: Mapping[str, Any]) -> bytes:
    """An error in mid-stream, such as modelStreamErrorException; nothing follows it."""
    return _frame(_headers("exception", "exception-type", exception_type), compact_json(payload).encode())


def _frame(headers: bytes, payload: bytes) -> bytes:
    prelude = struct.pack("!II", _PRELUDE_AND_CHECKSUMS + len(headers) + len(payload), len(headers))
    message = b"".join((prelude, struct.pack("!I", crc32(prelude)), headers, payload))
    return message + struct.pack("!I", crc32(message))


def _encode_header(name: str, value: str) -> bytes:
    name_bytes, value_bytes = name.encode(), value.encode()
    return (
        struct.pack("!B", len(name_bytes))
        + name_bytes
        + struct.pack("!BH", _STRING, len(value_bytes))
        + value_bytes
    )


@lru_cache(maxsize=64)
def _headers(message_type: str, kind_header: str, kind: str) -> bytes:
    headers = {f":{kind_header}": kind, ":content-type": "application/json", ":message-type": message_type}
    return b"".join(_encode_header(name, value) for name, value in headers.items())
