"""Converse and ConverseStream: requests read, answers written in Bedrock's shapes."""

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
    ToolCall,
    count_tokens,
    json_pieces,
    split_tokens,
    tokens_of,
)
from local.bedrock_simulator.compact_json import compact_json

MEDIA_TOKENS = 1000
"""What an image, a document, a video or a recording costs."""

_MEDIA = ("image", "document", "video", "audio")
_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def read_prompt(body: Mapping[str, Any]) -> Prompt:
    """The prompt of a valid Converse request, or of a CountTokens request's `converse` member."""
    last = body["messages"][-1]["content"] if body["messages"][-1]["role"] == "user" else ()
    tool_config = body.get("toolConfig") or {}
    inference = body.get("inferenceConfig") or {}
    thinking = (body.get("additionalModelRequestFields") or {}).get("thinking") or {}
    return Prompt(
        text="\n".join(block["text"] for block in last if "text" in block),
        tools={
            tool["toolSpec"]["name"]: tool["toolSpec"]["inputSchema"]["json"]
            for tool in tool_config.get("tools", ())
            if "toolSpec" in tool
        },
        forced_tool=_forced_tool(tool_config.get("toolChoice") or {}),
        answers_tool_results=any("toolResult" in block for block in last),
        thinks=thinking.get("type") == "enabled",
        max_tokens=inference.get("maxTokens"),
        stop_sequences=tuple(inference.get("stopSequences") or ()),
        input_tokens=_input_tokens(body),
    )


def write_response(answer: Answer, latency_seconds: float) -> dict[str, Any]:
    """The body of a Converse response."""
    return {
        "metrics": {"latencyMs": round(latency_seconds * 1000)},
        "output": {
            "message": {"content": [_content_block(block) for block in answer.blocks], "role": "assistant"}
        },
        "stopReason": answer.stop_reason,
        "usage": _usage(answer),
    }


def write_events(answer: Answer, latency_seconds: float) -> Iterator[StreamEvent]:
    """The events of a ConverseStream response.

    Like the real service's, every payload has a member `p`, padding that hides the length of the text.
    """
    for number, event in enumerate(_events(answer, latency_seconds)):
        padding = _PADDING[: 1 + number * 7 % len(_PADDING)]
        yield StreamEvent(event.type, event.payload | {"p": padding}, event.tokens)


def _events(answer: Answer, latency_seconds: float) -> Iterator[StreamEvent]:
    yield StreamEvent("messageStart", {"role": "assistant"})
    for index, block in enumerate(answer.blocks):
        if isinstance(block, ToolCall):
            start = {"toolUse": {"name": block.name, "toolUseId": block.call_id}}
            yield StreamEvent(
                "contentBlockStart", {"contentBlockIndex": index, "start": start}, tokens_of(block)
            )
        for delta, tokens in _deltas(block):
            yield StreamEvent("contentBlockDelta", {"contentBlockIndex": index, "delta": delta}, tokens)
        yield StreamEvent("contentBlockStop", {"contentBlockIndex": index})
    yield StreamEvent("messageStop", {"stopReason": answer.stop_reason})
    yield StreamEvent(
        "metadata", {"metrics": {"latencyMs": round(latency_seconds * 1000)}, "usage": _usage(answer)}
    )


def _deltas(block: Block) -> Iterator[tuple[dict[str, Any], int]]:
    if isinstance(block, Text):
        for token in split_tokens(block.text):
            yield {"text": token}, 1
    elif isinstance(block, Reasoning):
        for token in split_tokens(block.text):
            yield {"reasoningContent": {"text": token}}, 1
        yield {"reasoningContent": {"signature": block.signature}}, 0
    else:
        for piece in json_pieces(block.input):
            yield {"toolUse": {"input": piece}}, 0


def _content_block(block: Block) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"text": block.text}
    if isinstance(block, Reasoning):
        return {"reasoningContent": {"reasoningText": {"text": block.text, "signature": block.signature}}}
    return {"toolUse": {"input": block.input, "name": block.name, "toolUseId": block.call_id}}


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokens": 0,
        "inputTokens": answer.input_tokens,
        "outputTokens": answer.output_tokens,
        "totalTokens": answer.input_tokens + answer.output_tokens,
    }


def _forced_tool(tool_choice: Mapping[str, Any]) -> str | None:
    if "any" in tool_choice:
        return ANY_TOOL
    name: str | None = tool_choice.get("tool", {}).get("name")
    return name


def _input_tokens(body: Mapping[str, Any]) -> int:
    blocks = [block for message in body["messages"] for block in message["content"]] + list(
        body.get("system") or ()
    )
    tools = body.get("toolConfig")
    return sum(map(_tokens_of, blocks)) + (count_tokens(compact_json(tools)) if tools else 0)


def _tokens_of(block: Mapping[str, Any]) -> int:
    if "text" in block:
        return count_tokens(block["text"])
    if "toolResult" in block:
        return sum(map(_tokens_of, block["toolResult"]["content"]))
    if any(kind in block for kind in _MEDIA):
        return MEDIA_TOKENS
    return count_tokens(compact_json(block))
