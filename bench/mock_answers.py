"""The bytes that the mock provider sends, made once: 1.2 KB of JSON, or a stream of 100 chunks."""

import json
from dataclasses import dataclass

from local.bedrock_simulator.event_stream import CONTENT_TYPE as AWS_EVENT_STREAM
from local.bedrock_simulator.event_stream import encode_event

CHUNKS = 100
# What a gateway must bring to the caller: part of every whole answer.
TEXT = "word word word"


@dataclass(frozen=True)
class Answers:
    """A whole HTTP response, and a streamed one: its head, a chunk that comes CHUNKS times, its end."""

    whole: bytes
    stream_head: bytes
    chunk: bytes
    end: bytes


def answers(
    whole: object, *, content_type: str, chunk: bytes, before_end: bytes = b"", first: bytes = b""
) -> Answers:
    """Wrap bodies in HTTP; `first` comes before the chunks and `before_end` after them."""
    body = _json(whole)
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    stream_head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
    return Answers(
        whole=head.encode() + body,
        stream_head=stream_head.encode() + _http_chunk(first),
        chunk=_http_chunk(chunk),
        end=_http_chunk(before_end) + b"0\r\n\r\n",
    )


def openai() -> Answers:
    """Chat completions, with the usage that gateways meter by."""
    usage = {"prompt_tokens": 120, "completion_tokens": 200, "total_tokens": 320}
    message = {"role": "assistant", "content": "word " * 188}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    delta = {"index": 0, "delta": {"content": " several words"}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    return answers(
        {**_OPENAI, "object": "chat.completion", "choices": [choice], "usage": usage},
        content_type="text/event-stream",
        chunk=_openai_event(choices=[delta]),
        before_end=_openai_event(choices=[last])
        + _openai_event(choices=[], usage=usage)
        + b"data: [DONE]\n\n",
    )


def converse() -> Answers:
    """Bedrock's Converse and ConverseStream."""
    usage = {"inputTokens": 120, "outputTokens": 200, "totalTokens": 320}
    message = {"role": "assistant", "content": [{"text": "word " * 200}]}
    delta = {"contentBlockIndex": 0, "delta": {"text": " several words"}}
    return answers(
        {
            "output": {"message": message},
            "stopReason": "end_turn",
            "usage": usage,
            "metrics": {"latencyMs": 1},
        },
        content_type=AWS_EVENT_STREAM,
        first=encode_event("messageStart", {"role": "assistant"}),
        chunk=encode_event("contentBlockDelta", delta),
        before_end=encode_event("contentBlockStop", {"contentBlockIndex": 0})
        + encode_event("messageStop", {"stopReason": "end_turn"})
        + encode_event("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}),
    )


_OPENAI = {"id": "chatcmpl-bench", "created": 1_790_000_000, "model": "bench"}


def _openai_event(**fields: object) -> bytes:
    return b"data: %b\n\n" % _json({**_OPENAI, "object": "chat.completion.chunk", **fields})


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _http_chunk(payload: bytes) -> bytes:
    # An empty chunk would end the response.
    return b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""
