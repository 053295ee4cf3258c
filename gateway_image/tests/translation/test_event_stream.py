"""The decoder of AWS's event stream, against botocore's and against damage."""

import struct
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.bedrock.event_stream import EventMessage, EventStreamDecoder, EventStreamError

Header = tuple[str, tuple[int, Any]]
EncodeEvent = Callable[..., bytes]

_FORMATS = {2: ">b", 3: ">h", 4: ">i", 5: ">q", 8: ">q"}


def _value(header_type: int, value: Any) -> bytes:
    match header_type:
        case 0 | 1:
            return b""
        case 6 | 7:
            return struct.pack(">H", len(value)) + bytes(value)
        case 9:
            return bytes(value)
        case _:
            return struct.pack(_FORMATS[header_type], value)


def _message(headers: list[Header], payload: bytes) -> bytes:
    encoded = b"".join(
        struct.pack(">B", len(name.encode())) + name.encode() + bytes([kind]) + _value(kind, value)
        for name, (kind, value) in headers
    )
    prelude = struct.pack(">II", 16 + len(encoded) + len(payload), len(encoded))
    message = prelude + struct.pack(">I", crc32(prelude)) + encoded + payload
    return message + struct.pack(">I", crc32(message))


_values = st.one_of(
    st.tuples(st.sampled_from([0, 1]), st.none()),
    st.tuples(st.just(2), st.integers(-(2**7), 2**7 - 1)),
    st.tuples(st.just(3), st.integers(-(2**15), 2**15 - 1)),
    st.tuples(st.just(4), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.sampled_from([5, 8]), st.integers(0, 2**40)),
    st.tuples(st.just(6), st.binary(max_size=20)),
    st.tuples(st.just(7), st.text(max_size=20).map(str.encode)),
    st.tuples(st.just(9), st.binary(min_size=16, max_size=16)),
)
_headers = st.lists(
    st.tuples(st.text(min_size=1, max_size=8), _values), max_size=4, unique_by=lambda header: header[0]
)
_messages = st.lists(st.builds(_message, _headers, st.binary(max_size=60)), max_size=5)


def _decode(chunks: list[bytes]) -> list[EventMessage]:
    decoder = EventStreamDecoder()
    return [message for chunk in chunks for message in decoder.feed(chunk)]


def _split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(messages=_messages, cuts=st.lists(st.integers(0, 2**16), max_size=8))
def test_any_stream_cut_anywhere_reads_as_botocore_reads_it(messages: list[bytes], cuts: list[int]) -> None:
    reference = EventStreamBuffer()
    reference.add_data(b"".join(messages))
    expected = [
        ({name: value for name, value in event.headers.items() if isinstance(value, str)}, event.payload)
        for event in reference
    ]
    decoded = _decode(_split(b"".join(messages), cuts))
    assert [(dict(headers), payload) for headers, payload in decoded] == expected


@given(
    messages=st.lists(st.builds(_message, _headers, st.binary(max_size=40)), min_size=1, max_size=3),
    position=st.integers(0, 2**16),
    damage=st.integers(1, 255),
    cuts=st.lists(st.integers(0, 2**16), max_size=4),
)
def test_a_damaged_byte_never_yields_a_wrong_message(
    messages: list[bytes], position: int, damage: int, cuts: list[int]
) -> None:
    data = bytearray(b"".join(messages))
    data[position % len(data)] ^= damage
    intact = _decode(messages)
    decoder = EventStreamDecoder()
    decoded: list[EventMessage] = []
    with pytest.raises(EventStreamError):  # noqa: PT012 (what was decoded before the error counts too)
        for chunk in _split(bytes(data), cuts):
            decoded.extend(decoder.feed(chunk))
    assert decoded == intact[: len(decoded)]
    assert len(decoded) < len(intact)


@given(data=st.binary(min_size=12, max_size=100))
def test_noise_is_an_error(data: bytes) -> None:
    with pytest.raises(EventStreamError):
        _decode([data])


def _prelude(length: int, headers_length: int) -> bytes:
    prelude = struct.pack(">II", length, headers_length)
    return prelude + struct.pack(">I", crc32(prelude))


@pytest.mark.parametrize(
    ("length", "headers_length"),
    [(15, 0), (16, 1), (0, 2**32 - 1), (2**32 - 1, 0), (25 * 1024 * 1024, 0), (200_000, 150_000)],
)
def test_impossible_sizes_are_refused_before_any_byte_is_awaited(length: int, headers_length: int) -> None:
    with pytest.raises(EventStreamError, match="bytes of headers"):
        _decode([_prelude(length, headers_length)])


def _with_headers(headers: bytes) -> bytes:
    message = _prelude(16 + len(headers), len(headers)) + headers
    return message + struct.pack(">I", crc32(message))


@pytest.mark.parametrize(
    "headers",
    [
        b"\x05ab",
        b"\x01a\x63",
        b"\x01a\x07\x00",
        b"\x01a\x07\x00\x05ab",
        b"\x01\xff\x00",
        b"\x01a\x04\x00",
        b"\x01a",
    ],
)
def test_headers_that_make_no_sense_are_an_error(headers: bytes) -> None:
    with pytest.raises(EventStreamError, match="headers"):
        _decode([_with_headers(headers)])


def test_a_message_that_is_not_all_there_is_awaited(encode_event: EncodeEvent) -> None:
    event = encode_event("messageStop", {"stopReason": "end_turn"})
    assert _decode([event[:-1]]) == []
    [(headers, _)] = _decode([event[:-1], event[-1:]])
    assert headers[":event-type"] == "messageStop"
