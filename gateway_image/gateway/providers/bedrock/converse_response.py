"""Converse's response as an OpenAI chat completion."""

import msgspec
from msgspec import UNSET, Raw, Struct

from gateway.errors import provider_error
from gateway.openai.chat_completion import (
    ChatCompletion,
    Choice,
    CompletionMessage,
    FinishReason,
    completion_usage,
)
from gateway.openai.chat_types import FunctionCall, ToolCall
from gateway.providers import Usage

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


class TokenUsage(Struct, rename="camel"):
    """Converse's counts: inputTokens does not include what was read from or written to the cache."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_input_tokens: int = 0

    def usage(self) -> Usage:
        """The same counts as the gateway keeps them."""
        return Usage(
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cache_read_tokens=self.cache_read_input_tokens,
            cache_write_tokens=self.cache_write_input_tokens,
        )


class _ToolUse(Struct, rename="camel"):
    tool_use_id: str
    name: str
    input: Raw


class _ReasoningText(Struct):
    text: str = ""


class _ReasoningContent(Struct, rename="camel"):
    reasoning_text: _ReasoningText | None = None


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


_decode = msgspec.json.Decoder(_ConverseResponse).decode
_encode = msgspec.json.Encoder().encode


def to_chat_completion(body: bytes, *, completion_id: str, created: int, model: str) -> tuple[bytes, Usage]:
    """The chat completion for a Converse response, as JSON, and the tokens it took.

    created is in Unix seconds; model is the name the caller used. Raises GatewayError 502 if the
    response cannot be understood or the model's output is broken.
    """
    try:
        response = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        message = "The model's provider sent an answer that cannot be read."
        raise provider_error(message, code="upstream_invalid_response", detail=str(error)) from error
    usage = response.usage.usage()
    tier = response.service_tier.type if response.service_tier else ""
    completion = ChatCompletion(
        id=completion_id,
        created=created,
        model=model,
        choices=[
            Choice(
                message=_completion_message(response.output.message.content),
                finish_reason=finish_reason(response.stop_reason),
            )
        ],
        usage=completion_usage(usage),
        service_tier=tier if tier in _SERVICE_TIERS else UNSET,
    )
    return _encode(completion), usage


def finish_reason(stop_reason: str) -> FinishReason:
    """OpenAI's name for why the model stopped.

    Raises GatewayError 502 where it stopped because its output made no sense: to a caller any finish
    reason would say that the answer can be used. Reasons unknown to this version count as `stop`.
    """
    if stop_reason in _MALFORMED:
        message = "The model's output was malformed and was discarded; try again."
        raise provider_error(message, code="upstream_model_error", detail=stop_reason)
    return _FINISH_REASONS.get(stop_reason, "stop")


def _completion_message(blocks: list[_ContentBlock]) -> CompletionMessage:
    """All text as one, all reasoning as one, and the tool calls; citations keep their text only."""
    text: list[str] = []
    reasoning: list[str] = []
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
            if block.reasoning_content.reasoning_text is not None:
                reasoning.append(block.reasoning_content.reasoning_text.text)
        elif block.citations_content is not None:
            text += [generated.text for generated in block.citations_content.content]
    return CompletionMessage(
        content=None if tool_calls and not text else "".join(text),
        reasoning_content="".join(reasoning) if reasoning else UNSET,
        tool_calls=tool_calls or UNSET,
    )
