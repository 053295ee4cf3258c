"""InvokeModel and InvokeModelWithResponseStream for Claude: the Messages API as Bedrock carries it."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from local.bedrock_simulator.answers import (
    ANY_TOOL,
    Answer,
    Block,
    Prompt,
    Reasoning,
    StreamEvent,
    Text,
    count_tokens,
    json_pieces,
    split_tokens,
    tokens_of,
)
from local.bedrock_simulator.compact_json import compact_json
from local.bedrock_simulator.converse import MEDIA_TOKENS

_STOP_REASONS = {"content_filtered": "refusal", "guardrail_intervened": "end_turn"}


def read_prompt(body: Mapping[str, Any]) -> Prompt:
    """The prompt of a valid Messages body."""
    last = _blocks(body["messages"][-1]["content"]) if body["messages"][-1]["role"] == "user" else []
    choice = body.get("tool_choice") or {}
    return Prompt(
        text="\n".join(block["text"] for block in last if block["type"] == "text"),
        tools={
            tool["name"]: tool["input_schema"] for tool in body.get("tools") or () if "input_schema" in tool
        },
        forced_tool={"any": ANY_TOOL, "tool": choice.get("name")}.get(choice.get("type", "")),
        answers_tool_results=any(block["type"] == "tool_result" for block in last),
        thinks=(body.get("thinking") or {}).get("type") in ("enabled", "adaptive"),
        max_tokens=body.get("max_tokens"),
        stop_sequences=tuple(body.get("stop_sequences") or ()),
        input_tokens=_input_tokens(body),
    )


def write_response(answer: Answer, model_id: str, number: int) -> dict[str, Any]:
    """A Messages response; `number` makes its ID unique."""
    if answer.stop_reason == "guardrail_intervened":
        # The guardrail's words come without anything of the model's.
        return {
            "amazon-bedrock-guardrailAction": "INTERVENED",
            "content": [_content_block(block) for block in answer.blocks],
            "role": "assistant",
            "type": "message",
        }
    return _message(answer, model_id, number, answer.output_tokens) | {
        "content": [_content_block(block) for block in answer.blocks],
        "stop_reason": _stop_reason(answer),
        "stop_sequence": answer.stop_sequence,
    }


def write_events(answer: Answer, model_id: str, number: int, latency_seconds: float) -> Iterator[StreamEvent]:
    """The chunk events of a streamed response, each with one of Anthropic's events in it."""
    for event, tokens in _events(answer, model_id, number, latency_seconds):
        yield StreamEvent("chunk", {"bytes": base64.b64encode(compact_json(event).encode()).decode()}, tokens)


def _events(
    answer: Answer, model_id: str, number: int, latency_seconds: float
) -> Iterator[tuple[dict[str, Any], int]]:
    yield {"type": "message_start", "message": _message(answer, model_id, number, output_tokens=1)}, 0
    for index, block in enumerate(answer.blocks):
        start = {"type": "content_block_start", "index": index, "content_block": _empty_block(block)}
        yield start, 0 if isinstance(block, Text | Reasoning) else tokens_of(block)
        for delta, tokens in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}, tokens
        yield {"type": "content_block_stop", "index": index}, 0
    delta = {"stop_reason": _stop_reason(answer), "stop_sequence": answer.stop_sequence}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": answer.output_tokens}}, 0
    metrics = {
        "inputTokenCount": answer.input_tokens,
        "outputTokenCount": answer.output_tokens,
        "invocationLatency": round(latency_seconds * 1000),
        "firstByteLatency": round(latency_seconds * 1000),
    }
    yield {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}, 0


def _message(answer: Answer, model_id: str, number: int, output_tokens: int) -> dict[str, Any]:
    return {
        "model": model_id.removeprefix("anthropic.").partition("-v1:")[0],
        "id": f"msg_bdrk_{number:022d}",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": answer.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output_tokens,
        },
    }


def _content_block(block: Block) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    if isinstance(block, Reasoning):
        return {"type": "thinking", "thinking": block.text, "signature": block.signature}
    return {"type": "tool_use", "id": block.call_id, "name": block.name, "input": block.input}


def _empty_block(block: Block) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": ""}
    if isinstance(block, Reasoning):
        return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "tool_use", "id": block.call_id, "name": block.name, "input": {}}


def _deltas(block: Block) -> Iterator[tuple[dict[str, Any], int]]:
    if isinstance(block, Text):
        for token in split_tokens(block.text):
            yield {"type": "text_delta", "text": token}, 1
    elif isinstance(block, Reasoning):
        for token in split_tokens(block.text):
            yield {"type": "thinking_delta", "thinking": token}, 1
        yield {"type": "signature_delta", "signature": block.signature}, 0
    else:
        for piece in json_pieces(block.input):
            yield {"type": "input_json_delta", "partial_json": piece}, 0


def _stop_reason(answer: Answer) -> str:
    return _STOP_REASONS.get(answer.stop_reason, answer.stop_reason)


def _blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _input_tokens(body: Mapping[str, Any]) -> int:
    blocks = [block for message in body["messages"] for block in _blocks(message["content"])]
    tokens = sum(map(_tokens_of, blocks + _blocks(body.get("system") or [])))
    return tokens + (count_tokens(compact_json(body["tools"])) if body.get("tools") else 0)


def _tokens_of(block: Mapping[str, Any]) -> int:
    match block["type"]:
        case "text":
            return count_tokens(block["text"])
        case "tool_result":
            return sum(map(_tokens_of, _blocks(block.get("content") or [])))
        case "image" | "document":
            return MEDIA_TOKENS
        case _:
            return count_tokens(compact_json(block))
