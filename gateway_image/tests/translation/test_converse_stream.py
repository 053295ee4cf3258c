"""ConverseStream's events as a streamed chat completion, as the OpenAI SDK reads it."""

import json
import re
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from gateway.openai.chat import decode_chat_request
from gateway.providers import Usage
from gateway.providers.bedrock.converse_stream import ChatCompletionStream

Json = dict[str, Any]
EncodeEvent = Callable[..., bytes]


def new_stream(*, include_usage: bool = False) -> ChatCompletionStream:
    return ChatCompletionStream(model="m", include_usage=include_usage)


def translate(events: list[bytes], stream: ChatCompletionStream | None = None) -> bytes:
    stream = stream or new_stream()
    return b"".join(stream.feed(event) for event in events) + stream.finish()


def same(output: bytes, other: bytes) -> bool:
    """Whether two streams tell the same; each has an ID and a time of its own."""
    own = re.compile(rb'"id":"chatcmpl-[0-9a-f]+"|"created":[0-9]+')
    return own.sub(b"", output) == own.sub(b"", other)


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
    assert first.id.startswith("chatcmpl-")
    assert abs(first.created - time.time()) < 5
    assert first.model == "m"
    assert {(chunk.id, chunk.created) for chunk in rest} == {(first.id, first.created)}
    assert first.choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in rest) == "Grüß \nGott"
    assert [chunk.choices[0].finish_reason for chunk in rest] == [None, None, "stop"]
    assert all(chunk.usage is None for chunk in rest)
    assert stream.complete
    assert stream.error is None
    assert stream.usage == Usage(input_tokens=7, output_tokens=5)
    assert stream.characters == len("Grüß \nGott")


def test_content_has_begun_with_the_first_word(text_events: list[bytes]) -> None:
    stream = new_stream()
    stream.feed(text_events[0])
    assert not stream.content_begun
    stream.feed(text_events[1])
    assert stream.content_begun


def test_content_has_begun_with_a_tool_call_or_a_thought(encode_event: EncodeEvent) -> None:
    start = {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "t", "name": "now"}}}
    thought = {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hm"}}}
    for event in encode_event("contentBlockStart", start), encode_event("contentBlockDelta", thought):
        stream = new_stream()
        stream.feed(event)
        assert stream.content_begun


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
    thoughts: list[Json] = [{"text": "Hm"}, {"text": "m"}, {"signature": "abc"}]
    received = chunks(
        translate(with_thoughts(encode_event, text_events, thoughts, [{"redactedContent": "AAAA"}]))
    )
    deltas = [chunk.choices[0].delta.model_dump() for chunk in received]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "Hmm"
    assert "".join(delta["content"] or "" for delta in deltas) == "Grüß \nGott"
    assert [delta["thinking_blocks"] for delta in deltas if "thinking_blocks" in delta] == [
        [{"index": 0, "type": "thinking", "thinking": "Hmm", "signature": "abc"}],
        [{"index": 1, "type": "redacted_thinking", "data": "AAAA"}],
    ]


def test_reasoning_that_is_not_signed_is_nothing_to_send_back(
    encode_event: EncodeEvent, text_events: list[bytes]
) -> None:
    assert b"thinking_blocks" not in translate(with_thoughts(encode_event, text_events, [{"text": "Hm"}]))


def test_the_sdk_gathers_thinking_blocks_that_can_be_sent_back(
    encode_event: EncodeEvent, text_events: list[bytes]
) -> None:
    thoughts = [[{"text": "Hm"}, {"signature": "abc"}], [{"redactedContent": "AAAA"}]]
    output = translate(with_thoughts(encode_event, text_events, *thoughts))
    state = ChatCompletionStreamState()
    for chunk in chunks(output):
        state.handle_chunk(chunk)
    message = state.get_final_completion().choices[0].message.model_dump(exclude_none=True)
    assert [block["type"] for block in message["thinking_blocks"]] == ["thinking", "redacted_thinking"]
    decode_chat_request(json.dumps({"model": "m", "messages": [message]}).encode())


def with_thoughts(encode_event: EncodeEvent, text_events: list[bytes], *blocks: list[Json]) -> list[bytes]:
    """The recorded answer with blocks of reasoning before its text."""
    events: list[bytes] = []
    for index, deltas in enumerate(blocks):
        for delta in deltas:
            payload = {"contentBlockIndex": index, "delta": {"reasoningContent": delta}}
            events.append(encode_event("contentBlockDelta", payload))
        events.append(encode_event("contentBlockStop", {"contentBlockIndex": index}))
    return [text_events[0], *events, *text_events[1:]]


def test_events_of_kinds_unknown_today_are_passed_over(
    encode_event: EncodeEvent, text_events: list[bytes]
) -> None:
    news = [
        encode_event("somethingNew", {"a": 1}),
        encode_event("contentBlockStart", {"contentBlockIndex": 0, "start": {"image": {"format": "png"}}}),
        encode_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"citation": {"title": "Book"}}}),
    ]
    assert same(translate([*text_events[:1], *news, *text_events[1:]]), translate(text_events))


@given(cuts=st.lists(st.integers(0, 2**16), max_size=12))
def test_the_output_does_not_depend_on_how_the_stream_is_cut(
    cuts: list[int], text_events: list[bytes]
) -> None:
    data = b"".join(text_events)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert same(translate(pieces), translate(text_events))


def throttled(encode_event: EncodeEvent) -> bytes:
    return encode_event("throttlingException", {"message": "Too many tokens"}, message_type="exception")


def test_an_error_ends_the_stream_and_is_not_written(
    encode_event: EncodeEvent, text_events: list[bytes]
) -> None:
    stream = new_stream()
    output = translate([*text_events[:2], throttled(encode_event), *text_events[2:]], stream)
    assert len(list(data_lines(output))) == 2
    assert not stream.complete
    assert stream.error is not None
    assert (stream.error.status, stream.error.type) == (429, "rate_limit_error")


def test_text_that_came_with_an_error_in_one_chunk_is_kept(
    encode_event: EncodeEvent, text_events: list[bytes]
) -> None:
    stream = new_stream()
    lines = list(data_lines(stream.feed(b"".join([*text_events[:2], throttled(encode_event)]))))
    assert ChatCompletionChunk.model_validate_json(lines[1]).choices[0].delta.content == "Grüß "
    assert stream.error is not None


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 4])
def test_a_cut_stream_ends_with_an_error(text_events: list[bytes], kept: int) -> None:
    stream = new_stream()
    translate([*text_events[:kept], text_events[kept][:-1]], stream)
    assert stream.error is not None
    assert (stream.error.status, stream.error.code) == (502, "upstream_connection_lost")
    assert not stream.complete


def test_an_answer_whose_usage_is_missing_is_still_complete(text_events: list[bytes]) -> None:
    stream = new_stream(include_usage=True)
    assert chunks(translate(text_events[:-1], stream))[-1].choices[0].finish_reason == "stop"
    assert stream.complete
    assert stream.usage is None


def test_malformed_output_ends_with_an_error_but_its_tokens_count(
    encode_event: EncodeEvent, text_events: list[bytes]
) -> None:
    stop = encode_event("messageStop", {"stopReason": "malformed_tool_use"})
    for events, usage in (
        ([*text_events[:4], stop, text_events[5]], Usage(input_tokens=7, output_tokens=5)),
        ([*text_events[:4], stop], None),
    ):
        stream = new_stream()
        translate(events, stream)
        assert stream.error is not None
        assert stream.error.code == "upstream_model_error"
        assert stream.usage == usage
        assert not stream.complete


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
    stream = new_stream()
    translate([text_events[0], event, *text_events[1:]], stream)
    assert stream.error is not None
    assert stream.error.code == "upstream_invalid_response"


@given(position=st.integers(0, 2**16), damage=st.integers(1, 255))
def test_a_damaged_stream_never_passes_for_a_whole_one(
    position: int, damage: int, text_events: list[bytes]
) -> None:
    data = bytearray(b"".join(text_events))
    data[position % len(data)] ^= damage
    stream = new_stream()
    output = stream.feed(bytes(data)) + stream.finish()
    assert stream.error is not None
    assert stream.error.status == 502
    assert not stream.complete
    whole = list(data_lines(translate(text_events)))
    lines = list(data_lines(output)) if output else []
    assert all(same(line.encode(), other.encode()) for line, other in zip(lines, whole, strict=False))


def test_nothing_follows_the_end(text_events: list[bytes]) -> None:
    stream = new_stream()
    translate(text_events, stream)
    assert stream.feed(b"".join(text_events)) == b""
    assert stream.finish() == b""
    assert same(new_stream().feed(b"".join(text_events * 2)), translate(text_events))
