"""An OpenAI chat completion: what answers a request, whole or in chunks."""

import secrets
import time
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gateway.openai.chat_types import RedactedThinkingBlock, ThinkingBlock, ToolCall
from gateway.providers import Usage

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]

DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.Encoder().encode


class PromptTokensDetails(Struct, frozen=True):
    """How many tokens of the prompt were read from and written to the provider's cache."""

    cached_tokens: int
    cache_write_tokens: int


class CompletionUsage(Struct, frozen=True):
    """The tokens of a request as OpenAI counts them: cached ones are part of prompt_tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


class CompletionMessage(Struct, frozen=True, kw_only=True):
    """What the model said. reasoning_content and thinking_blocks are widely read additions to OpenAI's.

    thinking_blocks holds the reasoning once more, as it has to come back for the model to go on from it.
    """

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    reasoning_content: str | UnsetType = UNSET
    thinking_blocks: list[ThinkingBlock | RedactedThinkingBlock] | UnsetType = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET


class Choice(Struct, frozen=True, kw_only=True):
    """One answer; this API gives exactly one."""

    index: int = 0
    message: CompletionMessage
    logprobs: None = None
    finish_reason: FinishReason


class ChatCompletion(Struct, frozen=True, kw_only=True):
    """The response's body. created is in Unix seconds."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: CompletionUsage
    service_tier: str | UnsetType = UNSET


def completion_usage(usage: Usage) -> CompletionUsage:
    """A request's tokens as OpenAI counts them."""
    return CompletionUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.prompt_tokens + usage.output_tokens,
        prompt_tokens_details=PromptTokensDetails(usage.cache_read_tokens, usage.cache_write_tokens),
    )


def new_completion_id() -> str:
    """An ID that no other completion has."""
    return f"chatcmpl-{secrets.token_hex(12)}"


class ChunkWriter:
    """Writes the server-sent events of one streamed completion."""

    def __init__(self, model: str, *, include_usage: bool) -> None:
        head = {
            "id": new_completion_id(),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":['
        self._delta_head = self._head + b'{"index":0,"delta":{'
        self._end = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        self._delta_tail = b'},"logprobs":null,"finish_reason":null}]' + self._end
        self._text_head = self._delta_head + b'"content":'
        self._reasoning_head = self._delta_head + b'"reasoning_content":'

    def role(self) -> bytes:
        """The first chunk."""
        return self._delta_head + b'"role":"assistant","content":"","refusal":null' + self._delta_tail

    def text(self, text: str) -> bytes:
        """More of the answer."""
        return self._text_head + _encode(text) + self._delta_tail

    def reasoning(self, text: str) -> bytes:
        """More of the reasoning."""
        return self._reasoning_head + _encode(text) + self._delta_tail

    def thinking(self, index: int, thinking: str, signature: str) -> bytes:
        """A whole block of signed reasoning; clients gather the blocks by their index."""
        return self._thinking_block(
            {"index": index, "type": "thinking", "thinking": thinking, "signature": signature}
        )

    def redacted_thinking(self, index: int, data: str) -> bytes:
        """A whole block of encrypted reasoning."""
        return self._thinking_block({"index": index, "type": "redacted_thinking", "data": data})

    def _thinking_block(self, block: dict[str, str | int]) -> bytes:
        return self._delta_head + b'"thinking_blocks":[' + _encode(block) + b"]" + self._delta_tail

    def tool_call(self, index: int, call_id: str, name: str) -> bytes:
        """A tool call begins; index is its place among the tool calls."""
        function = {"name": name, "arguments": ""}
        call = _encode({"index": index, "id": call_id, "type": "function", "function": function})
        return self._delta_head + b'"tool_calls":[' + call + b"]" + self._delta_tail

    def arguments(self, index: int, text: str) -> bytes:
        """More of a tool call's arguments."""
        delta = b'"tool_calls":[{"index":%d,"function":{"arguments":%b}}]' % (index, _encode(text))
        return self._delta_head + delta + self._delta_tail

    def end(self, reason: FinishReason) -> bytes:
        """The chunk that tells why the model stopped."""
        finish = b'},"logprobs":null,"finish_reason":"%b"}]' % reason.encode()
        return self._delta_head + finish + self._end

    def usage(self, usage: Usage) -> bytes:
        """The last chunk, for callers that ask for it."""
        return self._head + b'],"usage":' + _encode(completion_usage(usage)) + b"}\n\n"
