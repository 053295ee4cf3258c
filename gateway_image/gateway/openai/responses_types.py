"""The body of an OpenAI Responses request, as far as chat completions can honour it.

What they cannot is here only where clients send it with a harmless value, or so that it is refused by
name with a reason; fields unknown here are refused when the body is decoded.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct, field

from gateway.openai.chat_types import TokenLimit


class ResponsesEnvelope(Struct, kw_only=True):
    """What the gateway itself has to know of a request, whichever provider answers it."""

    model: str = ""
    stream: bool | None = None
    max_output_tokens: TokenLimit | None = None
    background: bool | None = None


class _Strict(Struct, forbid_unknown_fields=True):
    pass


class InputText(_Strict, tag_field="type", tag="input_text"):
    """Text for the model."""

    text: str


class InputImage(_Strict, tag_field="type", tag="input_image"):
    """An image for the model: an http(s) URL or a base64 data URL."""

    image_url: str | None = None
    detail: Literal["auto", "low", "high", "original"] | None = None
    file_id: str | None = None


class InputFile(_Strict, tag_field="type", tag="input_file"):
    """A file for the model: a base64 data URL."""

    file_data: str | None = None
    filename: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    detail: Literal["auto", "low", "high"] | None = None


class OutputText(_Strict, tag_field="type", tag="output_text"):
    """What the model said in an earlier turn."""

    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class OutputRefusal(_Strict, tag_field="type", tag="refusal"):
    """What the model said when it refused in an earlier turn."""

    refusal: str


Part = InputText | InputImage | InputFile | OutputText | OutputRefusal
ItemStatus = Literal["in_progress", "completed", "incomplete"]


class MessageItem(_Strict):
    """A message; the model's own of earlier turns have an id and a status."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Part]
    type: Literal["message"] | None = None
    id: str | None = None
    status: ItemStatus | None = None
    phase: str | None = None


class FunctionCallItem(_Strict):
    """A call of a function by the model in an earlier turn; arguments is a JSON document in a string."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    id: str | None = None
    status: ItemStatus | None = None
    caller: None = None
    namespace: None = None
    asynchronous: Literal[False] | None = field(default=None, name="async")


class FunctionCallOutputItem(_Strict):
    """The result of a call."""

    type: Literal["function_call_output"]
    call_id: str
    output: str | list[Part]
    id: str | None = None
    status: ItemStatus | None = None
    name: str | None = None
    caller: None = None
    namespace: None = None


class ReasoningItem(_Strict):
    """Reasoning of an earlier turn; only encrypted_content goes back to the model."""

    type: Literal["reasoning"]
    id: str | None = None
    summary: list[dict[str, str]] | None = None
    content: list[dict[str, str]] | None = None
    encrypted_content: str | None = None
    status: ItemStatus | None = None


class FunctionTool(_Strict, tag_field="type", tag="function"):
    """A function the model may call; parameters is a JSON Schema of an object."""

    name: str
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class FunctionChoice(_Strict, tag_field="type", tag="function"):
    """The model must call this function."""

    name: str


class AllowedTools(_Strict, tag_field="type", tag="allowed_tools"):
    """The model may or must choose among some of the tools."""

    mode: Literal["auto", "required"]
    tools: list[FunctionChoice]


class TextFormat(_Strict, tag_field="type", tag="text"):
    """Any text: the default."""


class JsonObjectFormat(_Strict, tag_field="type", tag="json_object"):
    """Some JSON object, without a schema."""


class JsonSchemaFormat(_Strict, tag_field="type", tag="json_schema"):
    """JSON that follows a schema."""

    name: str
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class TextConfig(_Strict):
    """What the answer's text looks like."""

    format: TextFormat | JsonObjectFormat | JsonSchemaFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningConfig(_Strict):
    """How hard the model is to think. Its reasoning is told as a summary, whichever kind is asked for."""

    effort: str | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None


class StreamOptions(_Strict):
    """How the answer is streamed."""

    include_obfuscation: bool | None = None


class ResponsesRequest(_Strict, kw_only=True):
    """The body of `POST /v1/responses`. The items of input are decoded one by one, by their type."""

    input: str | Annotated[list[Raw], Meta(min_length=1)]
    model: str | None = None
    background: bool | None = None
    context_management: list[Any] | None = None
    conversation: Any = None
    include: list[str] | None = None
    instructions: str | None = None
    max_output_tokens: TokenLimit | None = None
    max_tool_calls: int | None = None
    metadata: dict[str, str] | None = None
    moderation: dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    prompt: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: str | None = None
    reasoning: ReasoningConfig | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    text: TextConfig | None = None
    tool_choice: Literal["none", "auto", "required"] | FunctionChoice | AllowedTools | None = None
    tools: list[FunctionTool] | None = None
    top_logprobs: int | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    user: str | None = None
