"""The body of an OpenAI chat completion request, as OpenAI's API reference defines it.

Every field of that reference is here, those a provider cannot serve too, so that each provider
refuses what it cannot do by name. Unknown fields are refused when the body is decoded.

Three additions are widely sent by clients that reach other models through this API: `cache_control`
on content parts and tools (Anthropic's prompt caching), and `reasoning_content` and `thinking_blocks`
on assistant messages, which clients echo from this gateway's own answers.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

TokenLimit = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class CacheControl(Struct, forbid_unknown_fields=True, frozen=True):
    """Marks the end of a prompt prefix worth caching, as in Anthropic's API."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class TextPart(Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    """Text in a message."""

    text: str
    cache_control: CacheControl | None = None


class RefusalPart(Struct, tag_field="type", tag="refusal", forbid_unknown_fields=True):
    """What the assistant said when it refused."""

    refusal: str


class ImageUrl(Struct, forbid_unknown_fields=True):
    """Where an image is: an http(s) URL or a base64 data URL."""

    url: str
    detail: Literal["auto", "low", "high", "original"] | None = None


class ImagePart(Struct, tag_field="type", tag="image_url", forbid_unknown_fields=True):
    """An image in a user message."""

    image_url: ImageUrl
    cache_control: CacheControl | None = None


class InputAudio(Struct, forbid_unknown_fields=True):
    """Recorded speech; data is base64."""

    data: str
    format: Literal["wav", "mp3"]


class AudioPart(Struct, tag_field="type", tag="input_audio", forbid_unknown_fields=True):
    """Audio in a user message."""

    input_audio: InputAudio
    cache_control: CacheControl | None = None


class FileReference(Struct, forbid_unknown_fields=True):
    """A file by its content (a base64 data URL) or by the ID of an earlier upload."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class FilePart(Struct, tag_field="type", tag="file", forbid_unknown_fields=True):
    """A file, for example a PDF, in a user message."""

    file: FileReference
    cache_control: CacheControl | None = None


UserPart = TextPart | ImagePart | AudioPart | FilePart
AssistantPart = TextPart | RefusalPart


class FunctionCall(Struct, forbid_unknown_fields=True):
    """The function an assistant called; arguments is a JSON document in a string."""

    name: str
    arguments: str


class ToolCall(Struct, tag_field="type", tag="function", forbid_unknown_fields=True):
    """A call of a function tool by the assistant. index is its place in a stream; clients echo it."""

    id: str
    function: FunctionCall
    index: int | UnsetType = UNSET


class ThinkingBlock(Struct, tag_field="type", tag="thinking", forbid_unknown_fields=True):
    """Reasoning with the signature by which its model knows it again. index is its place in a stream."""

    thinking: str
    signature: str | None = None
    index: int | UnsetType = UNSET


class RedactedThinkingBlock(Struct, tag_field="type", tag="redacted_thinking", forbid_unknown_fields=True):
    """Reasoning that only its model can read."""

    data: str
    index: int | UnsetType = UNSET


class SystemMessage(Struct, tag_field="role", tag="system", forbid_unknown_fields=True):
    """Instructions that stand above what users say."""

    content: str | list[TextPart]
    name: str | None = None


class DeveloperMessage(Struct, tag_field="role", tag="developer", forbid_unknown_fields=True):
    """OpenAI's newer name for a system message."""

    content: str | list[TextPart]
    name: str | None = None


class UserMessage(Struct, tag_field="role", tag="user", forbid_unknown_fields=True):
    """What the user said."""

    content: str | list[UserPart]
    name: str | None = None


class AssistantMessage(Struct, tag_field="role", tag="assistant", forbid_unknown_fields=True):
    """What the model said in an earlier turn."""

    content: str | list[AssistantPart] | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    name: str | None = None
    audio: dict[str, Any] | None = None
    function_call: FunctionCall | None = None
    annotations: list[Any] | None = None
    reasoning_content: str | None = None
    thinking_blocks: list[ThinkingBlock | RedactedThinkingBlock] | None = None


class ToolMessage(Struct, tag_field="role", tag="tool", forbid_unknown_fields=True):
    """The result of one tool call. name repeats the function's; some clients send it."""

    tool_call_id: str
    content: str | list[TextPart]
    name: str | None = None


Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage


class FunctionDefinition(Struct, forbid_unknown_fields=True):
    """A function the model may call; parameters is a JSON Schema of an object."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Struct, tag_field="type", tag="function", forbid_unknown_fields=True):
    """A function tool offered to the model."""

    function: FunctionDefinition
    cache_control: CacheControl | None = None


class FunctionName(Struct, forbid_unknown_fields=True):
    """Names a function among the tools."""

    name: str


class NamedToolChoice(Struct, tag_field="type", tag="function", forbid_unknown_fields=True):
    """The model must call this function."""

    function: FunctionName


class AllowedTools(Struct, forbid_unknown_fields=True):
    """The tools the model may or must choose from."""

    mode: Literal["auto", "required"]
    tools: list[dict[str, Any]]


class AllowedToolChoice(Struct, tag_field="type", tag="allowed_tools", forbid_unknown_fields=True):
    """The model chooses among some of the tools."""

    allowed_tools: AllowedTools


class TextFormat(Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    """Any text: the default."""


class JsonObjectFormat(Struct, tag_field="type", tag="json_object", forbid_unknown_fields=True):
    """Some JSON object, without a schema."""


class JsonSchema(Struct, forbid_unknown_fields=True):
    """A named JSON Schema."""

    name: str
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class JsonSchemaFormat(Struct, tag_field="type", tag="json_schema", forbid_unknown_fields=True):
    """JSON that follows a schema."""

    json_schema: JsonSchema


class StreamOptions(Struct, forbid_unknown_fields=True):
    """How the answer is streamed."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class StreamOptionsEnvelope(Struct, frozen=True):
    """What the gateway itself has to know of how the answer is streamed."""

    include_usage: bool | None = None


class ChatEnvelope(Struct, kw_only=True):
    """What the gateway itself has to know of a request, whichever provider answers it."""

    model: str = ""
    stream: bool | None = None
    stream_options: StreamOptionsEnvelope | None = None
    max_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    # How many answers. Providers may take 9.0 or "9" for 9: what is not a whole number here is refused.
    n: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None

    @property
    def max_output_tokens(self) -> int | None:
        """The limit the caller set, if any."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def answers(self) -> int:
        """How many answers are asked for."""
        return self.n or 1

    @property
    def include_usage(self) -> bool:
        """Whether a streamed answer ends with a chunk that holds the usage."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)


class ChatCompletionRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    """The body of `POST /v1/chat/completions`. model may be left out where the URL's path names it."""

    model: str | None = None
    messages: Annotated[list[Message], Meta(min_length=1)]
    audio: dict[str, Any] | None = None
    frequency_penalty: float | None = None
    function_call: str | FunctionName | None = None
    functions: list[FunctionDefinition] | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    max_completion_tokens: TokenLimit | None = None
    max_tokens: TokenLimit | None = None
    metadata: dict[str, str] | None = None
    modalities: list[str] | None = None
    moderation: dict[str, Any] | None = None
    n: int | None = None
    parallel_tool_calls: bool | None = None
    prediction: dict[str, Any] | None = None
    presence_penalty: float | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: str | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    response_format: TextFormat | JsonObjectFormat | JsonSchemaFormat | None = None
    safety_identifier: str | None = None
    seed: int | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedToolChoice | AllowedToolChoice | None = None
    tools: list[Tool] | None = None
    top_logprobs: int | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    user: str | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    web_search_options: dict[str, Any] | None = None
