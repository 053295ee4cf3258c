"""botocore, which checks both CRCs, decodes what the encoder writes."""

import json

import pytest
from botocore.eventstream import (
    ChecksumMismatch,
    EventStreamBuffer,
)
from hypothesis import given
from hypothesis import strategies as st

from local.bedrock_simulator.event_stream import encode_event, encode_exception, encode_message

_NAMES = st.text(min_size=1, max_size=60)
_VALUES = st.text(max_size=300)


def decode(data: bytes) -> list[tuple[dict[str, str], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(message.headers, message.payload) for message in buffer]


@given(headers=st.dictionaries(_NAMES, _VALUES, max_size=8), payload=st.binary(max_size=4000))
def test_any_message_decodes_to_itself(headers: dict[str, str], payload: bytes) -> None:
    assert decode(encode_message(headers, payload)) == [(headers, payload)]


@given(
    payloads=st.lists(st.binary(max_size=200), min_size=1, max_size=5),
    size=st.integers(min_value=1, max_value=50),
)
def test_messages_decode_however_they_are_split(payloads: list[bytes], size: int) -> None:
    stream = b"".join(encode_message({":event-type": "e"}, payload) for payload in payloads)
    buffer = EventStreamBuffer()
    decoded = []
    for start in range(0, len(stream), size):
        buffer.add_data(stream[start : start + size])
        decoded += [message.payload for message in buffer]

    assert decoded == payloads


@given(payload=st.binary(min_size=1, max_size=100), data=st.data())
def test_a_flipped_bit_is_found(payload: bytes, data: st.DataObject) -> None:
    message = bytearray(encode_message({"name": "value"}, payload))
    # Bytes 0 to 7 are lengths: changed, they make the decoder wait for more instead.
    position = data.draw(st.integers(min_value=8, max_value=len(message) - 1))
    message[position] ^= 1 << data.draw(st.integers(min_value=0, max_value=7))

    with pytest.raises(ChecksumMismatch):
        decode(bytes(message))


def test_events_and_exceptions_carry_bedrocks_headers() -> None:
    ((event_headers, event), (exception_headers, exception)) = decode(
        encode_event("messageStop", {"stopReason": "end_turn"})
        + encode_exception("throttlingException", {"message": "né"})
    )

    assert event_headers == {
        ":event-type": "messageStop",
        ":content-type": "application/json",
        ":message-type": "event",
    }
    assert json.loads(event) == {"stopReason": "end_turn"}
    assert exception_headers[":message-type"] == "exception"
    assert exception_headers[":exception-type"] == "throttlingException"
    assert json.loads(exception) == {"message": "né"}
