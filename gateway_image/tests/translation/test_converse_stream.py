"""ConverseStream's events as a streamed chat completion, as the OpenAI SDK reads it."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from gateway.errors import GatewayError
from gateway.providers import Usage
from gateway.providers.bedrock.converse_stream import ChatCompletionStream

Json = dict[str, Any]
EncodeEvent = Callable[..., bytes]


def new_stream(*, include_usage: bool = False) -> ChatCompletionStream:
    return ChatCompletionStream(
        completion_id="chatcmpl-1", created=1700000000, model="m", include_usage=include_usage
    )


def translate(events: list[bytes], stream: ChatCompletionStream | None = None) -> bytes:
    stream = stream or new_stream()
    return b"".join(stream.feed(event) for event in events) + stream.finish()


def data_lines(output: bytes) -> Iterator[str]:
    assert output.endswith(b"\n\n")
    for event in output.decode().removesuffix("\n\n").split("\n\n"):
        assert event.startswith("data: "), event
        assert "\n" not in event, event
        yield event.removeprefix("data: ")


def chunks(output: bytes) -> list[ChatCompletionChunk]:
    *lines, last = data_lines(output)
    assert last == "[DONE]"
    return [ChatCompletionChunk.model_validate_json(line, strict=True) for line in lines]


def read_with_sdk(output: bytes) -> list[ChatCompletionChunk]:
    """What the SDK makes of a response with this body."""

    def respond(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=output)

    with httpx2.Client(transport=httpx2.MockTransport(respond)) as http:
        client = openai.OpenAI(api_key="k", base_url="http://gateway.test/v1", http_client=http)
        messages: Any = [{"role": "user", "content": "Hi"}]
        return list(client.chat.completions.create(model="m", messages=messages, stream=True))


def test_text(text_events: list[bytes]) -> None:
    stream = new_stream()
    first, *rest = chunks(translate(text_events, stream))
    assert (first.id, first.created, first.model) == ("chatcmpl-1", 1700000000, "m")
    assert first.choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in rest) == "Grüß \nGott"
    assert [chunk.choices[0].finish_reason for chunk in rest] == [None, None, "stop"]
    assert all(chunk.usage is None for chunk in rest)
    assert stream.complete
    assert stream.usage == Usage(input_tokens=7, output_tokens=5)


def test_usage_is_the_last_chunk_where_asked_for(text_events: list[bytes]) -> None:
    output = translate(text_events, new_stream(include_usage=True))
    *before, last = chunks(output)
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (7, 5, 12)
    assert all(json.loads(line)["usage"] is None for line in list(data_lines(output))[: len(before)])


@pytest.fixture
def tool_events(encode_event: EncodeEvent) -> list[bytes]:
    def delta(index: int, text: str) -> bytes:
        return encode_event(
            "contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": text}}}
        )

    def start(index: int, call_id: str, name: str) -> bytes:
        tool_use = {"toolUse": {"toolUseId": call_id, "name": name}}
        return encode_event("contentBlockStart", {"contentBlockIndex": index, "start": tool_use})

    def stop(index: int) -> bytes:
        return encode_event("contentBlockStop", {"contentBlockIndex": index})

    return [
        encode_event("messageStart", {"role": "assistant"}),
        encode_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Let me look."}}),
        stop(0),
        start(1, "t1", "weather"),
        delta(1, ""),
        delta(1, '{"city": "Zü'),
        delta(1, 'rich"}'),
        stop(1),
        start(2, "t2", "now"),
        delta(2, ""),
        stop(2),
        encode_event("messageStop", {"stopReason": "tool_use"}),
        encode_event("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}}),
    ]


def test_tool_calls_as_the_sdk_accumulates_them(tool_events: list[bytes]) -> None:
    calls: dict[int, Json] = {}
    received = read_with_sdk(translate(tool_events))
    for chunk in received:
        for call in chunk.choices[0].delta.tool_calls or []:
            known = calls.setdefault(call.index, {"arguments": ""})
            assert call.function is not None
            if call.id:
                known |= {"id": call.id, "type": call.type, "name": call.function.name}
            known["arguments"] += call.function.arguments or ""
    assert calls == {
        0: {"id": "t1", "type": "function", "name": "weather", "arguments": '{"city": "Zürich"}'},
        1: {"id": "t2", "type": "function", "name": "now", "arguments": "{}"},
    }
    assert received[-1].choices[0].finish_reason == "tool_calls"


def test_reasoning(encode_event: EncodeEvent, text_events: list[bytes]) -> None:
    thoughts: list[Json] = [{"text": "Hm"}, {"text": "m"}, {"signature": "abc"}, {"redactedContent": "AAAA"}]
    events = [
        encode_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": thought}})
        for thought in thoughts
    ]
    received = chunks(translate([text_events[0], *events, *text_events[1:]]))
    deltas = [chunk.choices[0].delta.model_dump() for chunk in received]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "Hmm"
    assert "".join(delta["content"] or "" for delta in deltas) == "Grüß \nGott"


def test_events_of_kinds_unknown_today_are_passed_over(
    encode_event: EncodeEvent, text_events: list[bytes]
) -> None:
    news = [
        encode_event("somethingNew", {"a": 1}),
        encode_event("contentBlockStart", {"contentBlockIndex": 0, "start": {"image": {"format": "png"}}}),
        encode_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"citation": {"title": "Book"}}}),
    ]
    assert translate([*text_events[:1], *news, *text_events[1:]]) == translate(text_events)


@given(cuts=st.lists(st.integers(0, 2**16), max_size=12))
def test_the_output_does_not_depend_on_how_the_stream_is_cut(
    cuts: list[int], text_events: list[bytes]
) -> None:
    data = b"".join(text_events)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert translate(pieces) == translate(text_events)


def throttled(encode_event: EncodeEvent) -> bytes:
    return encode_event("throttlingException", {"message": "Too many tokens"}, message_type="exception")


def test_an_error_before_the_answer_is_raised(encode_event: EncodeEvent) -> None:
    stream = new_stream()
    event = throttled(encode_event)
    assert stream.feed(event[:20]) == b""
    with pytest.raises(GatewayError) as caught:
        stream.feed(event[20:])
    assert (caught.value.status, caught.value.type) == (429, "rate_limit_error")
    assert stream.finish() == b""


def test_an_error_within_the_answer_is_its_last_event(
    encode_event: EncodeEvent, text_events: list[bytes]
) -> None:
    stream = new_stream()
    output = translate([*text_events[:2], throttled(encode_event), *text_events[2:]], stream)
    *lines, last = data_lines(output)
    assert len(lines) == 2
    assert json.loads(last)["error"]["type"] == "rate_limit_error"
    assert not stream.complete
    assert stream.error is not None
    with pytest.raises(openai.APIError, match="no capacity left"):
        read_with_sdk(output)


def test_text_that_came_with_an_error_in_one_chunk_is_kept(
    encode_event: EncodeEvent, text_events: list[bytes]
) -> None:
    *lines, _ = data_lines(new_stream().feed(b"".join([*text_events[:2], throttled(encode_event)])))
    assert ChatCompletionChunk.model_validate_json(lines[1]).choices[0].delta.content == "Grüß "


@pytest.mark.parametrize("kept", [1, 2, 3, 4])
def test_a_cut_stream_ends_with_an_error(text_events: list[bytes], kept: int) -> None:
    output = translate([*text_events[:kept], text_events[kept][:-1]])
    *_, last = data_lines(output)
    assert json.loads(last)["error"]["code"] == "upstream_connection_lost"


def test_a_stream_cut_before_its_first_event_is_raised(text_events: list[bytes]) -> None:
    stream = new_stream()
    assert stream.feed(text_events[0][:-1]) == b""
    with pytest.raises(GatewayError) as caught:
        stream.finish()
    assert caught.value.status == 502


def test_an_answer_whose_usage_is_missing_is_still_complete(text_events: list[bytes]) -> None:
    stream = new_stream(include_usage=True)
    assert chunks(translate(text_events[:-1], stream))[-1].choices[0].finish_reason == "stop"
    assert stream.complete
    assert stream.usage is None


def test_malformed_output_ends_with_an_error_but_its_tokens_count(
    encode_event: EncodeEvent, text_events: list[bytes]
) -> None:
    stop = encode_event("messageStop", {"stopReason": "malformed_tool_use"})
    stream = new_stream()
    *_, last = data_lines(translate([*text_events[:4], stop, text_events[5]], stream))
    assert json.loads(last)["error"]["code"] == "upstream_model_error"
    assert stream.usage == Usage(input_tokens=7, output_tokens=5)
    assert not stream.complete
    *_, last = data_lines(translate([*text_events[:4], stop]))
    assert json.loads(last)["error"]["code"] == "upstream_model_error"


@pytest.mark.parametrize(
    ("event_type", "payload", "message_type"),
    [
        ("contentBlockDelta", {"delta": {"text": 1}, "contentBlockIndex": 0}, "event"),
        ("contentBlockDelta", {"delta": {"toolUse": {"input": "x"}}, "contentBlockIndex": 3}, "event"),
        ("messageStop", {}, "event"),
        ("messageStop", {"stopReason": "end_turn"}, "greeting"),
    ],
)
def test_events_that_make_no_sense_end_the_stream(
    encode_event: EncodeEvent, text_events: list[bytes], event_type: str, payload: Json, message_type: str
) -> None:
    event = encode_event(event_type, payload, message_type=message_type)
    *_, last = data_lines(translate([text_events[0], event, *text_events[1:]]))
    assert json.loads(last)["error"]["code"] == "upstream_invalid_response"


@given(position=st.integers(0, 2**16), damage=st.integers(1, 255))
def test_a_damaged_stream_never_passes_for_a_whole_one(
    position: int, damage: int, text_events: list[bytes]
) -> None:
    data = bytearray(b"".join(text_events))
    data[position % len(data)] ^= damage
    stream = new_stream()
    try:
        output = stream.feed(bytes(data)) + stream.finish()
    except GatewayError as error:
        assert error.status == 502  # noqa: PT017 (it may also be told in the stream)
        return
    *lines, last = data_lines(output)
    assert json.loads(last)["error"]["code"] == "upstream_invalid_response"
    assert lines == list(data_lines(translate(text_events)))[: len(lines)]


def test_nothing_follows_the_end(text_events: list[bytes]) -> None:
    stream = new_stream()
    translate(text_events, stream)
    assert stream.feed(b"".join(text_events)) == b""
    assert stream.finish() == b""
    assert new_stream().feed(b"".join(text_events * 2)) == translate(text_events)
