"""Decodes application/vnd.amazon.eventstream, the framing of AWS's streamed answers.

A message is a prelude (its own length and that of its headers, 4 bytes each, and the CRC-32 of
these 8), headers, a payload, and the CRC-32 of all before. Numbers are big-endian.
"""

import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
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


# One message's headers and payload; of its headers only those that hold text, which are all that AWS's
# services send. A plain tuple, for a named one takes four times as long to make.
EventMessage = tuple[Mapping[str, str], bytes]


class EventStreamDecoder:
    """Turns the bytes of a stream, cut anywhere, into its messages."""

    def __init__(self) -> None:
        # The beginning of a message that is not all there, and how many bytes that takes.
        self._pieces: list[bytes] = []
        self._held = self._needed = 0

    def feed(self, chunk: bytes) -> Iterator[EventMessage]:
        """The messages that this chunk completes, to be read to their end.

        Raises EventStreamError, and then is of no use any more.
        """
        data = chunk
        if self._pieces:
            self._pieces.append(chunk)
            self._held += len(chunk)
            if self._held < self._needed:
                return
            data, self._pieces = b"".join(self._pieces), []
        start, size = 0, len(data)
        needed = prelude_size = _PRELUDE.size
        unpack_prelude, unpack_crc = _PRELUDE.unpack_from, _CRC.unpack_from
        while start + prelude_size <= size:
            length, headers_length, prelude_crc = unpack_prelude(data, start)
            checksum = crc32(data[start : start + 8])
            if checksum != prelude_crc:
                raise EventStreamError("the checksum of a message's prelude is wrong")
            payload_length = length - headers_length - _SMALLEST_MESSAGE
            if not 0 <= payload_length <= _MOST_PAYLOAD_BYTES or headers_length > _MOST_HEADER_BYTES:
                raise _impossible(length, headers_length)
            end = start + length
            if end > size:
                needed = length
                break
            crc_at = end - 4
            if crc32(data[start + 8 : crc_at], checksum) != unpack_crc(data, crc_at)[0]:
                raise EventStreamError("the checksum of a message is wrong")
            payload_at = crc_at - payload_length
            headers = _headers(data[start + prelude_size : payload_at])
            yield headers, data[payload_at:crc_at]
            start = end
        if start < size:
            self._pieces, self._held, self._needed = [data[start:]], size - start, needed


def _impossible(length: int, headers_length: int) -> EventStreamError:
    return EventStreamError(
        f"a message of {length} bytes with {headers_length} bytes of headers cannot be; allowed: "
        f"{_MOST_HEADER_BYTES} bytes of headers, {_MOST_PAYLOAD_BYTES} of payload and {_SMALLEST_MESSAGE} "
        "around them"
    )


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
