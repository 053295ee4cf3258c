"""Helpers of the Messages API's tests: calls as callers make them, chunks as Bedrock sends them."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.call import Call, Operation
from local.bedrock_simulator.event_stream import encode_event

Json = dict[str, Any]
MakeCall = Callable[..., Call]
EncodeChunk = Callable[[Json], bytes]


@pytest.fixture(scope="session")
def make_call() -> MakeCall:
    """Makes a call from a body's fields, given as keyword arguments, and a caller's headers."""

    def make(
        headers: Mapping[str, str] | None = None, operation: Operation = "messages", **fields: Any
    ) -> Call:
        usual = {"model": "claude", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
        return Call(operation, "claude", json.dumps(usual | fields).encode(), headers=headers)

    return make


@pytest.fixture(scope="session")
def encode_chunk() -> EncodeChunk:
    """Writes one of Anthropic's events as a chunk of Bedrock's event stream."""

    def encode(event: Json) -> bytes:
        data = json.dumps(event, separators=(",", ":")).encode()
        return encode_event("chunk", {"bytes": base64.b64encode(data).decode(), "p": "abcdef"})

    return encode


@pytest.fixture(scope="session")
def tool_answer(encode_chunk: EncodeChunk) -> list[bytes]:
    """A recorded answer that thinks, speaks and calls a tool, as Bedrock sends it."""
    usage = {
        "input_tokens": 12,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 400,
        "output_tokens": 1,
    }
    message: Json = {
        "model": "claude-haiku-4-5-20251001",
        "id": "msg_bdrk_01",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    blocks: list[tuple[Json, list[Json]]] = [
        (
            {"type": "thinking", "thinking": "", "signature": ""},
            [{"type": "thinking_delta", "thinking": "So:"}, {"type": "signature_delta", "signature": "c2ln"}],
        ),
        ({"type": "text", "text": ""}, [{"type": "text_delta", "text": "Grüß\n\nGott"}]),
        (
            {"type": "tool_use", "id": "toolu_bdrk_1", "name": "weather", "input": {}},
            [
                {"type": "input_json_delta", "partial_json": '{"city"'},
                {"type": "input_json_delta", "partial_json": ': "Lyon"}'},
            ],
        ),
    ]
    events: list[Json] = [{"type": "message_start", "message": message}, {"type": "ping"}]
    for index, (start, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events.append(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 25},
        }
    )
    metrics = {
        "inputTokenCount": 12,
        "outputTokenCount": 25,
        "invocationLatency": 900,
        "firstByteLatency": 300,
    }
    events.append({"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics})
    return [encode_chunk(event) for event in events]
