"""The bodies of answers: what holds of every provider's. Providers may say more, so nothing is closed."""

from typing import Any, Literal

from msgspec import Struct


class FunctionCall(Struct):
    """The function to call; arguments is a JSON document in a string."""

    name: str
    arguments: str


class ToolCall(Struct):
    """A call of a tool by the model."""

    id: str
    type: str
    function: FunctionCall | None = None


class AssistantMessage(Struct):
    """What the model said; thinking_blocks holds its reasoning once more, as it goes back to it."""

    role: Literal["assistant"]
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    thinking_blocks: list[dict[str, Any]] | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(Struct):
    """One answer; finish_reason is stop, length, tool_calls or content_filter."""

    index: int
    message: AssistantMessage
    finish_reason: str | None
    logprobs: dict[str, Any] | None = None


class CompletionUsage(Struct):
    """The tokens of a chat completion; those read from a cache are part of prompt_tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, Any] | None = None
    completion_tokens_details: dict[str, Any] | None = None


class ChatCompletion(Struct):
    """A chat completion; created is in Unix seconds."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: CompletionUsage | None = None
    service_tier: str | None = None


class Embedding(Struct):
    """The embedding of one text: numbers, or base64 of little-endian 32-bit floats."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(Struct):
    """The tokens of the texts."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Struct):
    """The embeddings, in the order of the texts."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class ResponseUsage(Struct):
    """The tokens of a response."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: dict[str, Any] | None = None
    output_tokens_details: dict[str, Any] | None = None


class Response(Struct):
    """A response; output holds its items: reasoning, messages and calls of functions."""

    id: str
    object: Literal["response"]
    created_at: float
    model: str
    status: str
    output: list[dict[str, Any]]
    error: dict[str, Any] | None = None
    incomplete_details: dict[str, Any] | None = None
    usage: ResponseUsage | None = None


class MessageUsage(Struct):
    """The tokens of a message as Anthropic counts them: cached ones are not part of input_tokens."""

    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class Message(Struct):
    """A message, as the model wrote it."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[dict[str, Any]]
    stop_reason: str | None
    usage: MessageUsage
    stop_sequence: str | None = None


class TokenCount(Struct):
    """The tokens of a prompt."""

    input_tokens: int


class Model(Struct):
    """A model that may be asked for. When it was made is not known: created is 0."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(Struct):
    """All models."""

    object: Literal["list"]
    data: list[Model]


class Liveness(Struct):
    """The process answers."""

    status: Literal["live"]


class Readiness(Struct):
    """Whether requests are welcome, and how the services beside the gateway are."""

    status: Literal["ready", "draining"]
