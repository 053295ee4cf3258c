"""Decodes application/vnd.amazon.eventstream, the framing of AWS's streamed answers.

A message is a prelude (its own length and that of its headers, 4 bytes each, and the CRC-32 of
these 8), headers, a payload, and the CRC-32 of all before. Numbers are big-endian.
"""

import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple
from zlib import crc32

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_SMALLEST_MESSAGE = _PRELUDE.size + _CRC.size
# The limits of AWS's own SDKs.
_MOST_HEADER_BYTES = 128 * 1024
_MOST_PAYLOAD_BYTES = 24 * 1024 * 1024

_STRING_TYPE = 7
_BYTES_TYPE = 6
# Header types of a fixed size: true, false, byte, short, int, long, timestamp, UUID.
_FIXED_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}


class EventStreamError(ValueError):
    """The bytes are no event stream, or were changed on the way; nothing after them can be trusted."""


class EventMessage(NamedTuple):
    """One message; of its headers only those that hold text, which are all that AWS's services send."""

    headers: Mapping[str, str]
    payload: bytes


class EventStreamDecoder:
    """Turns the bytes of a stream, cut anywhere, into its messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[EventMessage]:
        """The messages that this chunk completes; raises EventStreamError, and then is of no use any more."""
        buffer = self._buffer
        buffer += chunk
        start = 0
        try:
            while (end := _message_end(buffer, start)) is not None:
                yield _message(buffer, start, end)
                start = end
        finally:
            del buffer[:start]


def _message_end(buffer: bytearray, start: int) -> int | None:
    """Where the message at `start` ends; None while it is not all there."""
    if len(buffer) - start < _PRELUDE.size:
        return None
    length, headers_length, prelude_crc = _PRELUDE.unpack_from(buffer, start)
    if crc32(buffer[start : start + 8]) != prelude_crc:
        raise EventStreamError("the checksum of a message's prelude is wrong")
    payload_length = length - headers_length - _SMALLEST_MESSAGE
    if payload_length < 0:
        raise EventStreamError(f"a message of {length} bytes cannot hold {headers_length} bytes of headers")
    if headers_length > _MOST_HEADER_BYTES or payload_length > _MOST_PAYLOAD_BYTES:
        raise EventStreamError(
            f"a message has {headers_length} bytes of headers and {payload_length} of payload; "
            f"allowed: {_MOST_HEADER_BYTES} and {_MOST_PAYLOAD_BYTES}"
        )
    end: int = start + length
    return end if len(buffer) >= end else None


def _message(buffer: bytearray, start: int, end: int) -> EventMessage:
    data = bytes(buffer[start:end])
    if crc32(data[: -_CRC.size]) != _CRC.unpack_from(data, len(data) - _CRC.size)[0]:
        raise EventStreamError("the checksum of a message is wrong")
    headers_end = _PRELUDE.size + _PRELUDE.unpack_from(data)[1]
    return EventMessage(_headers(data[_PRELUDE.size : headers_end]), data[headers_end : -_CRC.size])


# A stream repeats a handful of header blocks, so most are decoded once.
@lru_cache(maxsize=64)
def _headers(data: bytes) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    position = 0
    try:
        while position < len(data):
            name_end = position + 1 + data[position]
            name = data[position + 1 : name_end].decode()
            value_type = data[name_end]
            position = name_end + 1
            if value_type in (_STRING_TYPE, _BYTES_TYPE):
                size = int.from_bytes(data[position : position + 2])
                position += 2
                if value_type == _STRING_TYPE:
                    headers[name] = data[position : position + size].decode()
            else:
                size = _FIXED_SIZES[value_type]
            position += size
    except (IndexError, KeyError, UnicodeDecodeError):
        raise EventStreamError("a message's headers cannot be read") from None
    if position != len(data):
        raise EventStreamError("a message's headers are longer than their declared length")
    return MappingProxyType(headers)
