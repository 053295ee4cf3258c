"""The bodies of requests as callers write them: the types that decode them, and what those leave open."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct

from gateway.anthropic.messages import CountTokensEnvelope, MessagesEnvelope
from gateway.openai.chat_types import ChatCompletionRequest
from gateway.openai.embeddings import EmbeddingsRequest
from gateway.openai.responses_types import (
    FunctionCallItem,
    FunctionCallOutputItem,
    MessageItem,
    ReasoningItem,
    ResponsesRequest,
)
from gateway.openapi.schemas import reference

_TOKENS = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}
_EMBEDDED = {
    "description": "A text, or up to 2,048 of them; tokens instead of texts only to models that take them.",
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "maxItems": 2048},
        _TOKENS,
        {"type": "array", "items": _TOKENS, "minItems": 1, "maxItems": 2048},
    ],
}
_EmbeddingInput = Annotated[Raw, Meta(extra_json_schema=_EMBEDDED)]

RESPONSE_ITEMS = (MessageItem, FunctionCallItem, FunctionCallOutputItem, ReasoningItem)
_ITEMS = [reference("responses", item.__name__) for item in RESPONSE_ITEMS]
_RESPONSE_INPUT = {
    "description": "A text, or items; further kinds only to models whose provider has this API itself.",
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"anyOf": _ITEMS}, "minItems": 1}],
}


class CreateChatCompletionRequest(ChatCompletionRequest, kw_only=True):
    """A request for a chat completion."""

    model: str


class CreateDeploymentChatCompletionRequest(ChatCompletionRequest):
    """A request for a chat completion by the model that the path names."""


class CreateEmbeddingRequest(EmbeddingsRequest, kw_only=True):
    """A request for embeddings; input_type says what they are for, to models that make a difference."""

    model: str
    input: _EmbeddingInput


class CreateDeploymentEmbeddingRequest(EmbeddingsRequest, kw_only=True):
    """A request for embeddings by the model that the path names."""

    input: _EmbeddingInput


class CreateResponseRequest(ResponsesRequest, kw_only=True):
    """A request for a response."""

    model: str
    input: Annotated[Raw, Meta(extra_json_schema=_RESPONSE_INPUT)]  # type: ignore[assignment] # only described


class MessageParam(Struct):
    """A turn of the conversation: a text, or content blocks as Anthropic's API has them."""

    role: Literal["user", "assistant"]
    content: str | list[dict[str, Any]]


class CreateMessageRequest(MessagesEnvelope, kw_only=True):
    """A request for a message. All fields reach the model as they were sent; the most used ones are here."""

    messages: Annotated[list[MessageParam], Meta(min_length=1)]
    system: str | list[dict[str, Any]] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class CountMessageTokensRequest(CountTokensEnvelope, kw_only=True):
    """A request to count the tokens of a prompt, which is as in a request for a message."""

    messages: Annotated[list[MessageParam], Meta(min_length=1)]
    system: str | list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None
