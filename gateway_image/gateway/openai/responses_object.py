"""An OpenAI Response, made from a chat completion."""

import secrets
import time
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gateway.errors import provider_error
from gateway.openai.chat_types import RedactedThinkingBlock, ThinkingBlock
from gateway.openai.responses_input import pack_thinking
from gateway.openai.responses_types import ResponsesRequest

Json = dict[str, Any]
Status = Literal["in_progress", "completed", "incomplete"]

_INCOMPLETE_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


class FunctionCall(Struct):
    """The function that a tool call names, or a piece of that."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(Struct):
    """A tool call of a chat completion, or a piece of one; index is its place in a stream."""

    index: int = 0
    id: str | None = None
    function: FunctionCall | None = None


class Message(Struct):
    """What the model said, whole or a piece of it."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    thinking_blocks: list[ThinkingBlock | RedactedThinkingBlock] | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(Struct):
    """One answer: message of a whole completion, delta of a chunk."""

    message: Message | None = None
    delta: Message | None = None
    finish_reason: str | None = None


class _PromptTokensDetails(Struct):
    cached_tokens: int | None = 0
    cache_write_tokens: int | None = 0


class _CompletionTokensDetails(Struct):
    reasoning_tokens: int | None = 0


class CompletionUsage(Struct):
    """The tokens of a completion."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: _PromptTokensDetails | None = None
    completion_tokens_details: _CompletionTokensDetails | None = None

    def as_response_usage(self) -> Json:
        """The same under the Responses API's names."""
        prompt = self.prompt_tokens_details or _PromptTokensDetails()
        completion = self.completion_tokens_details or _CompletionTokensDetails()
        return {
            "input_tokens": self.prompt_tokens,
            "input_tokens_details": {
                "cached_tokens": prompt.cached_tokens or 0,
                "cache_write_tokens": prompt.cache_write_tokens or 0,
            },
            "output_tokens": self.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": completion.reasoning_tokens or 0},
            "total_tokens": self.total_tokens,
        }


class Completion(Struct):
    """A chat completion of any provider, or a chunk of one."""

    choices: list[Choice] = []
    usage: CompletionUsage | None = None
    service_tier: str | None = None


_decode = msgspec.json.Decoder(Completion).decode
_encode = msgspec.json.Encoder().encode


class ResponseObject:
    """The response to one request, as it stands at different times."""

    def __init__(self, request: ResponsesRequest, model: str) -> None:
        self._fixed: Json = {
            "id": new_id("resp"),
            "object": "response",
            "created_at": int(time.time()),
            "model": model,
            "background": False,
            "instructions": request.instructions,
            "max_output_tokens": request.max_output_tokens,
            "metadata": request.metadata or {},
            "parallel_tool_calls": request.parallel_tool_calls is not False,
            "previous_response_id": None,
            "reasoning": {
                "effort": request.reasoning.effort if request.reasoning else None,
                "summary": request.reasoning.summary if request.reasoning else None,
            },
            "store": False,
            "temperature": request.temperature,
            "text": _text_config(request),
            "tool_choice": request.tool_choice or "auto",
            "tools": request.tools or [],
            "top_p": request.top_p,
            "truncation": "disabled",
            "user": request.user,
        }
        self.service_tier: str | None = None
        self.usage: CompletionUsage | None = None

    def as_of(self, status: Status, output: list[Json], *, finish_reason: str | None = None) -> Json:
        """The response with an output; finish_reason is why the completion is at its end."""
        reason = _INCOMPLETE_REASONS.get(finish_reason or "")
        return {
            **self._fixed,
            "status": status,
            "completed_at": int(time.time()) if status == "completed" else None,
            "incomplete_details": {"reason": reason} if reason else None,
            "error": None,
            "output": output,
            "service_tier": self.service_tier,
            "usage": self.usage.as_response_usage() if self.usage else None,
        }


def final_status(finish_reason: str | None) -> Status:
    """How a response stands, and its last item, when the completion is at its end."""
    return "incomplete" if finish_reason in _INCOMPLETE_REASONS else "completed"


def _text_config(request: ResponsesRequest) -> Json:
    text = request.text
    config: Json = {"format": (text.format if text else None) or {"type": "text"}}
    if text is not None and text.verbosity is not None:
        config["verbosity"] = text.verbosity
    return config


def to_response(completion: bytes, request: ResponsesRequest, model: str) -> bytes:
    """The response for a chat completion, as JSON; raises GatewayError 502 if that cannot be read."""
    try:
        answer = _decode(completion)
        choice = answer.choices[0]
    except (msgspec.MsgspecError, UnicodeDecodeError, IndexError, RecursionError) as error:
        message = "The model's provider sent an answer that cannot be read."
        raise provider_error(message, code="upstream_invalid_response", detail=str(error)) from error
    response = ResponseObject(request, model)
    response.usage, response.service_tier = answer.usage, answer.service_tier
    status = final_status(choice.finish_reason)
    output = _output(choice.message or Message(), status)
    return _encode(response.as_of(status, output, finish_reason=choice.finish_reason))


def _output(message: Message, status: Status) -> list[Json]:
    """The items of a message; only the last can have been cut short."""
    output: list[Json] = []
    if message.reasoning_content or message.thinking_blocks:
        output.append(reasoning_item(new_id("rs"), message.reasoning_content or "", message.thinking_blocks))
    parts = [text_part(message.content)] if message.content else []
    if message.refusal:
        parts.append(refusal_part(message.refusal))
    calls = message.tool_calls or []
    if parts or not calls:
        output.append(message_item(new_id("msg"), parts or [text_part("")]))
    for call in calls:
        function = call.function or FunctionCall()
        output.append(
            function_call_item(new_id("fc"), call.id or "", function.name or "", function.arguments or "")
        )
    output[-1]["status"] = status
    return output


def new_id(kind: str) -> str:
    """An ID that no other object has."""
    return f"{kind}_{secrets.token_hex(16)}"


def text_part(text: str) -> Json:
    """What the model said, in a message item."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def refusal_part(refusal: str) -> Json:
    """What the model said when it refused, in a message item."""
    return {"type": "refusal", "refusal": refusal}


def message_item(item_id: str, parts: list[Json], status: Status = "completed") -> Json:
    """A message of the model."""
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": parts}


def function_call_item(
    item_id: str, call_id: str, name: str, arguments: str, status: Status = "completed"
) -> Json:
    """A call of a function by the model."""
    return {
        "id": item_id,
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def reasoning_item(
    item_id: str, text: str, thinking: list[ThinkingBlock | RedactedThinkingBlock] | None
) -> Json:
    """The model's reasoning; encrypted_content holds it as the model takes it back."""
    return {
        "id": item_id,
        "type": "reasoning",
        "summary": [summary_part(text)] if text else [],
        "encrypted_content": pack_thinking(thinking) if thinking else None,
    }


def summary_part(text: str) -> Json:
    """Text of reasoning, in a reasoning item."""
    return {"type": "summary_text", "text": text}
