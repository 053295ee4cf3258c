"""Responses by chat completions: for providers that have only these.

Nothing is stored, so all that refers to an earlier response is refused, and so are OpenAI's own tools.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from gateway.call import Call
from gateway.decoding import RequestDecoder
from gateway.errors import GatewayError, invalid_request
from gateway.openai.responses import API
from gateway.openai.responses_input import Messages
from gateway.openai.responses_object import to_response
from gateway.openai.responses_stream import ResponseStream
from gateway.openai.responses_types import (
    AllowedTools,
    FunctionChoice,
    JsonObjectFormat,
    JsonSchemaFormat,
    ResponsesRequest,
    TextConfig,
)
from gateway.providers import Usage
from gateway.providers.interface import StreamTranslation, UpstreamRequest

Json = dict[str, Any]

_decode = RequestDecoder(ResponsesRequest, API)
_encode = msgspec.json.Encoder().encode

# What needs stored state or OpenAI's own services, with the values that ask for neither.
_UNSUPPORTED: dict[str, tuple[object, ...]] = {
    "background": (False,),
    "context_management": ([],),
    "conversation": (),
    "max_tool_calls": (),
    "moderation": (),
    "previous_response_id": (),
    "prompt": (),
    "store": (False,),
    "top_logprobs": (0,),
    "truncation": ("disabled",),
}
_ADVICE = {
    "conversation": "send the whole conversation in input",
    "previous_response_id": "send the whole conversation in input",
    "store": "responses are not stored here: send false or leave it out",
    "truncation": "shorten the input, and send disabled or leave it out",
}
_INCLUDABLE = "reasoning.encrypted_content"
# Fields that mean the same in both APIs.
_SAME = (
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "temperature",
    "top_p",
    "user",
)

# What chat completions call otherwise, for errors about the mapped request.
_RESPONSES_NAMES = {
    "max_completion_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort",
    "response_format.json_schema": "text.format",
    "response_format": "text.format",
    "verbosity": "text.verbosity",
    "tool_choice.function": "tool_choice",
    ".image_url.url": ".image_url",
    ".image_url.detail": ".detail",
    ".file.": ".",
    ".function.": ".",
}
_CHAT_NAME = re.compile("|".join(re.escape(name) for name in _RESPONSES_NAMES))
_FIRST_WORD = re.compile(r"^[\w.\[\]]+")
_MESSAGE_PATH = re.compile(r"messages\[(\d+)\](\.content\[\d+\][\w.]*)?[\w.\[\]]*")


def answer_by_chat(call: Call, prepare: Callable[[Call], UpstreamRequest]) -> UpstreamRequest:
    """The upstream request that answers a Responses call by a chat completion.

    prepare: a provider's request for a chat completion. Raises GatewayError in the terms of the Responses
    API, and so does what the upstream request reads.
    """
    request = _decode(call.body)
    _refuse_unsupported(request)
    messages = _messages(request)
    restate = partial(_restated, origins=messages.origins)
    chat = Call(
        "chat_completions",
        call.model,
        _encode(_chat_body(request, call, messages)),
        stream=call.stream,
        max_output_tokens=call.max_output_tokens,
        include_usage=call.stream,
        headers=call.headers,
    )
    try:
        upstream = prepare(chat)
    except GatewayError as error:
        raise restate(error) from error
    open_chat_stream = upstream.open_stream

    def open_stream() -> StreamTranslation:
        assert open_chat_stream is not None  # noqa: S101 (it is there for every call that streams)
        return ResponseStream(open_chat_stream(), request, call.model)

    def read_whole(body: bytes) -> tuple[bytes, Usage | None]:
        completion, usage = upstream.read_whole(body)
        try:
            return to_response(completion, request, call.model), usage
        except GatewayError as error:
            error.usage = usage
            raise

    return replace(
        upstream,
        read_whole=read_whole,
        open_stream=None if open_chat_stream is None else open_stream,
        read_error=lambda status, headers, body: restate(upstream.read_error(status, headers, body)),
    )


def _refuse_unsupported(request: ResponsesRequest) -> None:
    for name, harmless in _UNSUPPORTED.items():
        value = getattr(request, name)
        if value is not None and value not in harmless:
            advice = _ADVICE.get(name, "leave it out")
            message = f"{name} is not supported for this model; {advice}."
            raise invalid_request(message, param=name, code="unsupported_parameter")
    for index, value in enumerate(request.include or ()):
        if value != _INCLUDABLE:
            path = f"include[{index}]"
            message = f"{path} is {value[:100]!r}; allowed for this model: {_INCLUDABLE}."
            raise invalid_request(message, param=path, code="unsupported_value")


def _messages(request: ResponsesRequest) -> Messages:
    messages = Messages(request.instructions)
    if isinstance(request.input, str):
        messages.add_text(request.input)
    else:
        for index, item in enumerate(request.input):
            messages.add_item(item, f"input[{index}]")
    messages.finish()
    return messages


def _chat_body(request: ResponsesRequest, call: Call, messages: Messages) -> Json:
    text = request.text or TextConfig()
    body: Json = {name: getattr(request, name) for name in _SAME} | {
        "model": call.model,
        "messages": messages.messages,
        "max_completion_tokens": request.max_output_tokens,
        "reasoning_effort": request.reasoning.effort if request.reasoning else None,
        "response_format": _response_format(text),
        "stream": request.stream,
        "stream_options": _stream_options(request),
        "tools": [_tool(tool) for tool in request.tools or ()] or None,
        "tool_choice": _tool_choice(request),
        "verbosity": text.verbosity,
    }
    return {name: value for name, value in body.items() if value is not None}


def _stream_options(request: ResponsesRequest) -> Json | None:
    if not request.stream:
        return None
    options: Json = {"include_usage": True}
    if request.stream_options is not None and request.stream_options.include_obfuscation is not None:
        options["include_obfuscation"] = request.stream_options.include_obfuscation
    return options


def _response_format(text: TextConfig) -> Json | None:
    match text.format:
        case JsonObjectFormat():
            return {"type": "json_object"}
        case JsonSchemaFormat() as schema:
            return {"type": "json_schema", "json_schema": _set_fields(schema)}
        case _:
            return None


def _tool(tool: msgspec.Struct) -> Json:
    return {"type": "function", "function": _set_fields(tool)}


def _set_fields(struct: msgspec.Struct) -> Json:
    return {name: value for name, value in msgspec.structs.asdict(struct).items() if value is not None}


def _tool_choice(request: ResponsesRequest) -> Json | str | None:
    match request.tool_choice:
        case FunctionChoice(name=name):
            return {"type": "function", "function": {"name": name}}
        case AllowedTools(mode=mode, tools=tools):
            allowed = [{"type": "function", "function": {"name": tool.name}} for tool in tools]
            return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": allowed}}
        case choice:
            return choice


def _restated(error: GatewayError, *, origins: list[str]) -> GatewayError:
    """An error about the mapped request in the terms of the request that the caller made."""
    if error.status >= 500 or error.param is None:
        return error

    def item(path: re.Match[str]) -> str:
        index, part = int(path[1]), path[2] or ""
        return origins[index] + part if index < len(origins) else "input"

    def in_responses_terms(text: str) -> str:
        text = "input" if text == "messages" else _MESSAGE_PATH.sub(item, text)
        return _CHAT_NAME.sub(lambda name: _RESPONSES_NAMES[name[0]], text)

    # The caller's own words are in an error, too, but only what it begins with can be a field's name.
    message = _FIRST_WORD.sub(lambda word: in_responses_terms(word[0]), error.message, count=1)
    return GatewayError(
        error.status,
        message,
        type=error.type,
        code=error.code,
        param=in_responses_terms(error.param),
        retry_after_seconds=error.retry_after_seconds,
        detail=error.detail,
    )
