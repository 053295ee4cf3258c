"""Converse's response as an OpenAI chat completion."""

import time
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from gateway.errors import MODEL_FAILED, GatewayError, provider_error
from gateway.openai.chat_completion import (
    ChatCompletion,
    Choice,
    CompletionMessage,
    FinishReason,
    completion_usage,
    new_completion_id,
)
from gateway.openai.chat_types import FunctionCall, RedactedThinkingBlock, ThinkingBlock, ToolCall
from gateway.providers import TokenCount, Usage, details

_FINISH_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}
_MALFORMED = frozenset({"malformed_model_output", "malformed_tool_use"})
_SERVICE_TIERS = frozenset({"default", "flex", "priority"})


class _CacheDetail(Struct, rename="camel"):
    ttl: str
    input_tokens: TokenCount


class TokenUsage(Struct, rename="camel"):
    """Converse's counts: inputTokens does not include what was read from or written to the cache.

    cacheDetails tells what was written apart by how long it is kept. Reasoning is not told apart.
    """

    input_tokens: TokenCount = 0
    output_tokens: TokenCount = 0
    cache_read_input_tokens: TokenCount = 0
    cache_write_input_tokens: TokenCount = 0
    cache_details: Any = None

    def usage(self) -> Usage:
        """The same counts as the gateway keeps them."""
        writes = details(self.cache_details, list[_CacheDetail]) or []
        for_an_hour = sum(write.input_tokens for write in writes if write.ttl == "1h")
        return Usage(
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cache_read_tokens=self.cache_read_input_tokens,
            cache_write_tokens=self.cache_write_input_tokens,
            cache_write_1h_tokens=min(for_an_hour, self.cache_write_input_tokens),
        )


class _ToolUse(Struct, rename="camel"):
    tool_use_id: str
    name: str
    input: Raw


class _ReasoningText(Struct):
    text: str = ""
    signature: str | None = None


class _ReasoningContent(Struct, rename="camel"):
    reasoning_text: _ReasoningText | None = None
    redacted_content: str | None = None


class _GeneratedText(Struct):
    text: str = ""


class _CitationsContent(Struct):
    content: list[_GeneratedText] = []


class _ContentBlock(Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: _ReasoningContent | None = None
    citations_content: _CitationsContent | None = None


class _Message(Struct):
    content: list[_ContentBlock]


class _Output(Struct):
    message: _Message


class _ServiceTier(Struct):
    type: str


class _ConverseResponse(Struct, rename="camel"):
    output: _Output
    stop_reason: str
    usage: TokenUsage
    service_tier: _ServiceTier | None = None


class _UsageAlone(Struct):
    usage: TokenUsage


_decode = msgspec.json.Decoder(_ConverseResponse).decode
_decode_usage = msgspec.json.Decoder(_UsageAlone).decode
_encode = msgspec.json.Encoder().encode


def to_chat_completion(body: bytes, *, model: str) -> tuple[bytes, Usage]:
    """The chat completion for a Converse response, as JSON, and the tokens it took.

    model is the name the caller used. Raises GatewayError 502 if the response cannot be understood or
    the model's output is broken; the tokens, if they can be read, are in the error's usage.
    """
    try:
        response = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = "The model's provider sent an answer that cannot be read."
        unreadable = provider_error(message, code="upstream_invalid_response", detail=str(error))
        unreadable.usage = _usage_alone(body)
        raise unreadable from error
    usage = response.usage.usage()
    try:
        reason = finish_reason(response.stop_reason)
    except GatewayError as error:
        error.usage = usage
        raise
    tier = response.service_tier.type if response.service_tier else ""
    completion = ChatCompletion(
        id=new_completion_id(),
        created=int(time.time()),
        model=model,
        choices=[Choice(message=_completion_message(response.output.message.content), finish_reason=reason)],
        usage=completion_usage(usage),
        service_tier=tier if tier in _SERVICE_TIERS else UNSET,
    )
    return _encode(completion), usage


def _usage_alone(body: bytes) -> Usage | None:
    """The tokens of an answer that cannot be understood otherwise."""
    try:
        return _decode_usage(body).usage.usage()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def finish_reason(stop_reason: str) -> FinishReason:
    """OpenAI's name for why the model stopped.

    Raises GatewayError 502 where it stopped because its output made no sense: to a caller any finish
    reason would say that the answer can be used. Reasons unknown to this version count as `stop`.
    """
    if stop_reason in _MALFORMED:
        message = "The model's output was malformed and was discarded; try again."
        raise provider_error(message, code=MODEL_FAILED, detail=stop_reason)
    return _FINISH_REASONS.get(stop_reason, "stop")


def _completion_message(blocks: list[_ContentBlock]) -> CompletionMessage:
    """All text as one, all reasoning as one, and the tool calls; citations keep their text only."""
    text: list[str] = []
    reasoning: list[str] = []
    thinking: list[ThinkingBlock | RedactedThinkingBlock] = []
    tool_calls: list[ToolCall] = []
    for block in blocks:
        if block.text is not None:
            text.append(block.text)
        elif block.tool_use is not None:
            arguments = bytes(block.tool_use.input).decode()
            tool_calls.append(
                ToolCall(block.tool_use.tool_use_id, FunctionCall(block.tool_use.name, arguments))
            )
        elif block.reasoning_content is not None:
            _add_reasoning(block.reasoning_content, reasoning, thinking)
        elif block.citations_content is not None:
            text += [generated.text for generated in block.citations_content.content]
    return CompletionMessage(
        content=None if tool_calls and not text else "".join(text),
        reasoning_content="".join(reasoning) if reasoning else UNSET,
        thinking_blocks=thinking or UNSET,
        tool_calls=tool_calls or UNSET,
    )


def _add_reasoning(
    content: _ReasoningContent, reasoning: list[str], thinking: list[ThinkingBlock | RedactedThinkingBlock]
) -> None:
    """Reasoning is a thinking block, too, if its model takes it back: signed or encrypted."""
    if content.redacted_content is not None:
        thinking.append(RedactedThinkingBlock(content.redacted_content))
    elif content.reasoning_text is not None:
        text, signature = content.reasoning_text.text, content.reasoning_text.signature
        reasoning.append(text)
        if signature:
            thinking.append(ThinkingBlock(text, signature))
