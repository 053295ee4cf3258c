"""An OpenAI chat completion: what answers a request that does not stream."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from gateway.openai.chat_types import ToolCall
from gateway.providers import Usage

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


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
    """What the model said. reasoning_content is a widely read addition to OpenAI's fields."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    reasoning_content: str | UnsetType = UNSET
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
