"""InvokeModelWithResponseStream on its way to the caller."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers import Usage
from gateway.providers.bedrock.anthropic_stream import MessageStream
from local.bedrock_simulator.event_stream import encode_event, encode_exception, encode_message

Json = dict[str, Any]
EncodeChunk = Callable[[Json], bytes]


def read(events: bytes) -> list[Json]:
    """What an SSE client makes of it; each event's name must be its data's type."""
    read_events = []
    for event in events.decode().removesuffix("\n\n").split("\n\n"):
        name, data = event.split("\n")
        parsed = json.loads(data.removeprefix("data: "))
        assert name == f"event: {parsed['type']}"
        read_events.append(parsed)
    return read_events


def test_an_answer_is_passed_on_event_by_event(tool_answer: list[bytes]) -> None:
    stream = MessageStream(model="claude")
    events = read(b"".join(map(stream.feed, tool_answer)))
    assert stream.complete
    assert stream.error is None
    assert [event["type"] for event in events[:3]] == ["message_start", "ping", "content_block_start"]
    assert events[0]["message"]["model"] == "claude"
    assert events[0]["message"]["id"] == "msg_bdrk_01"
    assert events[-1] == {"type": "message_stop"}
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert deltas == [
        {"type": "thinking_delta", "thinking": "So:"},
        {"type": "signature_delta", "signature": "c2ln"},
        {"type": "text_delta", "text": "Grüß\n\nGott"},
        {"type": "input_json_delta", "partial_json": '{"city"'},
        {"type": "input_json_delta", "partial_json": ': "Lyon"}'},
    ]
    assert stream.usage == Usage(
        input_tokens=12, output_tokens=25, cache_read_tokens=400, cache_write_tokens=3
    )


@given(data=st.data())
def test_where_the_bytes_are_cut_makes_no_difference(tool_answer: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(tool_answer)
    expected = MessageStream(model="claude").feed(whole)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    stream = MessageStream(model="claude")
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert b"".join(map(stream.feed, pieces)) == expected
    assert stream.complete


@given(garbage=st.binary(max_size=200), position=st.integers(0, 20))
def test_garbage_ends_the_stream_with_an_error(
    tool_answer: list[bytes], garbage: bytes, position: int
) -> None:
    stream = MessageStream(model="claude")
    for message in tool_answer[:position]:
        stream.feed(message)
    stream.feed(garbage)
    stream.finish()
    assert stream.complete is (position >= len(tool_answer))
    assert (stream.error is None) is stream.complete


_types = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "message_delta",
    "message_stop",
    "error",
]
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "usage", "content_block", "error", "input_tokens"]), inner)
    ),
    max_leaves=5,
)


@given(
    type_=st.sampled_from(_types), more=st.dictionaries(st.sampled_from(["message", "usage", "delta"]), _json)
)
def test_any_event_is_passed_on_or_is_an_error(encode_chunk: EncodeChunk, type_: str, more: Json) -> None:
    stream = MessageStream(model="claude")
    events = stream.feed(encode_chunk({"type": type_, **more}))
    if stream.error is None:
        assert [event["type"] for event in read(events)] == [type_]
    else:
        assert events == b""


@pytest.mark.parametrize(
    ("block", "begun"),
    [
        ({"type": "text", "text": ""}, False),
        ({"type": "thinking", "thinking": "", "signature": ""}, True),
        ({"type": "redacted_thinking", "data": "abc"}, True),
        ({"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}, True),
    ],
)
def test_content_has_begun_once_the_model_has_said_something(
    tool_answer: list[bytes], encode_chunk: EncodeChunk, block: Json, begun: bool
) -> None:
    stream = MessageStream(model="claude")
    for message in tool_answer[:2]:
        stream.feed(message)
    assert not stream.content_begun
    stream.feed(encode_chunk({"type": "content_block_start", "index": 0, "content_block": block}))
    assert stream.content_begun is begun
    delta = {"type": "text_delta", "text": "x"}
    stream.feed(encode_chunk({"type": "content_block_delta", "index": 0, "delta": delta}))
    assert stream.content_begun


def test_an_answer_may_begin_without_usage(encode_chunk: EncodeChunk) -> None:
    stream = MessageStream(model="claude")
    message = {"id": "msg_bdrk_01", "type": "message", "role": "assistant", "content": []}
    (event,) = read(stream.feed(encode_chunk({"type": "message_start", "message": message})))
    assert event["message"] == message | {
        "model": "claude",
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


def test_details_of_the_usage_come_at_the_beginning_and_at_the_end(encode_chunk: EncodeChunk) -> None:
    stream = MessageStream(model="claude")
    begun = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 10,
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6},
        "output_tokens": 1,
        "output_tokens_details": {"thinking_tokens": 1},
    }
    stream.feed(encode_chunk({"type": "message_start", "message": {"id": "msg_1", "usage": begun}}))
    so_far = Usage(input_tokens=3, cache_write_tokens=10, cache_write_1h_tokens=6)
    assert stream.usage == so_far
    ended = {"output_tokens": 20, "output_tokens_details": {"thinking_tokens": 12}}
    stream.feed(encode_chunk({"type": "message_delta", "delta": {}, "usage": ended}))
    assert stream.usage == so_far + Usage(output_tokens=20, reasoning_tokens=12)


def test_a_stream_cut_midway_has_counted_what_was_read_but_no_output(tool_answer: list[bytes]) -> None:
    stream = MessageStream(model="claude")
    for message in tool_answer[:8]:
        stream.feed(message)
    assert stream.finish() == b""
    assert stream.error is not None
    assert (stream.error.status, stream.error.code) == (502, "upstream_connection_lost")
    assert stream.usage == Usage(input_tokens=12, cache_read_tokens=400, cache_write_tokens=3)
    assert 10 <= stream.characters <= 60


def test_after_the_end_nothing_is_passed_on(tool_answer: list[bytes]) -> None:
    stream = MessageStream(model="claude")
    assert stream.feed(b"".join(tool_answer) + tool_answer[3]).endswith(b'{"type":"message_stop"}\n\n')
    assert stream.feed(tool_answer[3]) == b""
    assert stream.finish() == b""
    assert stream.error is None


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        (encode_exception("throttlingException", {"message": "slow down"}), 429, "rate_limit_exceeded"),
        (encode_exception("modelStreamErrorException", {"message": "x"}), 502, "upstream_model_error"),
        (encode_exception("validationException", {"message": "no"}), 400, "invalid_request"),
        (
            encode_message(
                {":message-type": "error", ":error-code": "InternalFailure", ":error-message": "x"}, b""
            ),
            502,
            "upstream_error",
        ),
        (encode_message({":message-type": "riddle"}, b"{}"), 502, "upstream_invalid_response"),
        (encode_event("chunk", {"bytes": "?"}), 502, "upstream_invalid_response"),
        (encode_event("chunk", {}), 502, "upstream_invalid_response"),
    ],
)
def test_errors_in_a_stream(tool_answer: list[bytes], message: bytes, status: int, code: str) -> None:
    stream = MessageStream(model="claude")
    before = stream.feed(tool_answer[0] + tool_answer[1] + message)
    assert [event["type"] for event in read(before)] == ["message_start", "ping"]
    assert stream.error is not None
    assert (stream.error.status, stream.error.code) == (status, code)
    assert stream.feed(tool_answer[3]) == b""


@pytest.mark.parametrize(
    ("type_", "status", "code"),
    [
        ("overloaded_error", 503, "upstream_unavailable"),
        ("api_error", 502, "upstream_model_error"),
    ],
)
def test_an_error_event_of_anthropics_own(
    encode_chunk: EncodeChunk, type_: str, status: int, code: str
) -> None:
    stream = MessageStream(model="claude")
    failure = {"type": type_, "message": "the caller's prompt"}
    assert stream.feed(encode_chunk({"type": "error", "error": failure})) == b""
    assert stream.error is not None
    assert (stream.error.status, stream.error.code, stream.error.detail) == (status, code, type_)
    assert "prompt" not in stream.error.message


def test_events_of_kinds_yet_unknown_are_passed_on(encode_chunk: EncodeChunk) -> None:
    stream = MessageStream(model="claude")
    assert read(stream.feed(encode_chunk({"type": "news", "x": [1]}))) == [{"type": "news", "x": [1]}]
    assert stream.feed(encode_event("metadata", {"x": 1})) == b""
    assert stream.error is None


def test_line_breaks_in_bedrocks_json_do_not_break_the_events() -> None:
    data = b'{"type":"content_block_delta",\r\n"index":0,\n"delta":{"type":"text_delta","text":"a\\nb"}}'
    events = MessageStream(model="claude").feed(
        encode_event("chunk", {"bytes": base64.b64encode(data).decode()})
    )
    assert read(events)[0]["delta"]["text"] == "a\nb"


def test_an_event_cannot_smuggle_in_another(encode_chunk: EncodeChunk) -> None:
    stream = MessageStream(model="claude")
    assert stream.feed(encode_chunk({"type": "a\n\nevent: b"})) == b""
    assert stream.error is not None
