"""Whatever a provider streams, cut anywhere: callers get sound events, and the stream an end or an error."""

import base64
import json
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.openai.responses_stream import ResponseStream
from gateway.openai.responses_types import ResponsesRequest
from gateway.providers import Usage
from gateway.providers.bedrock.anthropic_stream import MessageStream
from gateway.providers.bedrock.converse_stream import ChatCompletionStream
from gateway.providers.interface import StreamTranslation
from gateway.providers.openai_compatible.chat_stream import ChatStream
from gateway.providers.openai_compatible.responses_stream import ResponsesStream
from gateway.providers.sagemaker.stream import SageMakerChatStream
from local.bedrock_simulator.event_stream import encode_message

Json = Any
Damaged = Callable[[Json], st.SearchStrategy[bytes]]
Open = Callable[[], StreamTranslation]
# An event's name, where the protocol has one outside its data, and the data.
Event = tuple[str, Json]
Encode = Callable[[str, bytes], bytes]

CONVERSE: list[Event] = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hm"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "c2ln"}}}),
    ("contentBlockStop", {"contentBlockIndex": 0}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "Hello"}}),
    ("contentBlockStop", {"contentBlockIndex": 1}),
    ("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t", "name": "w"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": "{}"}}}),
    ("contentBlockStop", {"contentBlockIndex": 2}),
    ("messageStop", {"stopReason": "tool_use"}),
    ("metadata", {"usage": {"inputTokens": 3, "outputTokens": 2}}),
]
MESSAGE = {"id": "m", "type": "message", "model": "x", "usage": {"input_tokens": 3, "output_tokens": 1}}
ANTHROPIC: list[Event] = [
    ("", {"type": "message_start", "message": MESSAGE}),
    ("", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ("", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}),
    ("", {"type": "content_block_stop", "index": 0}),
    ("", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}),
    ("", {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 3}}),
]


def _chunk(**delta: Json) -> Event:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return "", {"id": "c", "object": "chat.completion.chunk", "model": "theirs", "choices": [choice]}


CALL = {"index": 0, "id": "t", "function": {"name": "w", "arguments": "{}"}}
CHAT: list[Event] = [
    _chunk(role="assistant", content=""),
    _chunk(reasoning_content="Hm"),
    _chunk(content="Hello"),
    _chunk(tool_calls=[CALL]),
    ("", {"model": "theirs", "choices": [{"delta": {}, "finish_reason": "stop"}]}),
    ("", {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}),
]
USAGE = {"input_tokens": 3, "output_tokens": 2}
RESPONSES: list[Event] = [
    ("", {"type": "response.created", "response": {"model": "theirs"}}),
    ("", {"type": "response.output_text.delta", "delta": "Hello"}),
    ("", {"type": "response.completed", "response": {"model": "theirs", "usage": USAGE}}),
]


def _aws(kind: str, data: bytes) -> bytes:
    return encode_message({":message-type": "event", ":event-type": kind}, data)


def _anthropic(_: str, data: bytes) -> bytes:
    return _aws("chunk", b'{"bytes":"%b"}' % base64.b64encode(data))


def _sse(_: str, data: bytes) -> bytes:
    return b"data: %b\n\n" % data


def _sagemaker(kind: str, data: bytes) -> bytes:
    return _aws("PayloadPart", _sse(kind, data))


def _response_by(chat: Open) -> StreamTranslation:
    return ResponseStream(chat(), ResponsesRequest(input="x"), "public")


_converse = partial(ChatCompletionStream, model="public", include_usage=True)
_chat = partial(ChatStream, model="public", include_usage=True)
STREAMS: dict[str, tuple[Open, Encode, Sequence[Event]]] = {
    "converse": (_converse, _aws, CONVERSE),
    "converse as a response": (partial(_response_by, _converse), _aws, CONVERSE),
    "anthropic": (partial(MessageStream, model="public"), _anthropic, ANTHROPIC),
    "chat": (_chat, _sse, CHAT),
    "chat as a response": (partial(_response_by, _chat), _sse, CHAT),
    "responses": (partial(ResponsesStream, "public"), _sse, RESPONSES),
    "sagemaker": (
        partial(SageMakerChatStream, model="public", include_usage=True),
        _sagemaker,
        CHAT,
    ),
}
# What else may come, at any time.
SSE_ODD = [
    b": keep alive\n\n",
    b"data: [DONE]\n\n",
    b'event: error\ndata: {"error": {"message": "no", "code": 429}}\n\n',
    b'data: {"type": "error", "message": "no"}\n\n',
    b"\n\n",
    b"data:\n\n",
]
AWS_ODD = [
    encode_message({":message-type": "exception", ":exception-type": "throttlingException"}, b"{}"),
    encode_message({":message-type": "exception"}, b""),
    encode_message({":message-type": "error", ":error-code": "x"}, b""),
    encode_message({":message-type": "event", ":event-type": "later"}, b"{"),
    encode_message({}, b""),
]
ODD: dict[Encode, list[bytes]] = {
    _sse: SSE_ODD,
    _aws: AWS_ODD,
    _anthropic: AWS_ODD,
    _sagemaker: [*AWS_ODD, *(_aws("PayloadPart", event) for event in SSE_ODD)],
}
_cuts = st.lists(st.integers(0, 2**16), max_size=6)


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=60, deadline=None)
@given(data=st.data(), cuts=_cuts)
def test_any_events(damaged: Damaged, name: str, data: st.DataObject, cuts: list[int]) -> None:
    open_stream, encode, events = STREAMS[name]
    messages = [encode(kind, json.dumps(document).encode()) for kind, document in events]
    for index in data.draw(st.sets(st.integers(0, len(events) - 1), max_size=2)):
        kind, document = events[index]
        messages[index] = encode(kind, data.draw(damaged(document)))
    place = data.draw(st.integers(0, len(messages)))
    messages[place:place] = data.draw(st.lists(st.sampled_from(ODD[encode]), max_size=2))
    _check(open_stream(), b"".join(messages), cuts)


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 2**16), removed=st.integers(0, 40), added=st.binary(max_size=20), cuts=_cuts)
def test_any_damage_on_the_wire(name: str, place: int, removed: int, added: bytes, cuts: list[int]) -> None:
    open_stream, encode, events = STREAMS[name]
    wire = b"".join(encode(kind, json.dumps(document).encode()) for kind, document in events)
    place %= len(wire) + 1
    _check(open_stream(), wire[:place] + added + wire[place + removed :], cuts)


def _check(stream: StreamTranslation, wire: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cut % (len(wire) + 1) for cut in cuts), len(wire)]
    output = b""
    for start, end in pairwise(edges):
        ended = stream.complete or stream.error is not None
        fed = stream.feed(wire[start:end])
        assert not (ended and fed)
        output += fed
    output += stream.finish()
    assert stream.complete is (stream.error is None)
    assert stream.finish() == stream.feed(wire) == b""
    if stream.error is not None:
        assert 400 <= stream.error.status < 600
    for count in msgspec.structs.astuple(stream.usage or Usage()):
        assert 0 <= count < 2**63
    assert stream.characters >= 0
    _check_events(output)


def _check_events(output: bytes) -> None:
    *events, rest = output.split(b"\n\n")
    assert rest == b""
    for event in events:
        lines = event.split(b"\n")
        data = b"\n".join(line[5:] for line in lines if line.startswith(b"data:")).strip()
        assert data or event.startswith(b":")
        if data and data != b"[DONE]":
            msgspec.json.decode(data, type=msgspec.Raw)
