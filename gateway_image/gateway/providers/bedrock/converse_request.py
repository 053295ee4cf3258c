"""An OpenAI chat completion request as the body of Bedrock's Converse and ConverseStream."""

import re
from operator import attrgetter
from typing import Any

import msgspec

from gateway.catalog import BedrockDeployment, Guardrail
from gateway.errors import GatewayError, invalid_request
from gateway.openai.chat_types import ChatCompletionRequest, JsonObjectFormat, JsonSchemaFormat
from gateway.providers.bedrock.converse_content import Block
from gateway.providers.bedrock.converse_messages import Conversation
from gateway.providers.bedrock.converse_reasoning import reasoning, refuses_limit
from gateway.providers.bedrock.converse_tools import serial_tool_choice, tool_config, tools_offered

_encode = msgspec.json.Encoder().encode

# What Converse cannot do, with the values that ask for nothing beyond what it does anyway.
#
# Not here, and without effect on the answer at OpenAI either: user, safety_identifier and
# prompt_cache_key. They are accepted and end at the gateway.
_UNSUPPORTED: dict[str, tuple[object, ...]] = {
    "audio": (),
    "frequency_penalty": (0,),
    "function_call": ("none",),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "moderation": (),
    "n": (1,),
    "prediction": (),
    "presence_penalty": (0,),
    "prompt_cache_options": (),
    "prompt_cache_retention": (),
    "seed": (),
    "store": (False,),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
    "web_search_options": (),
}
_unsupported_values = attrgetter(*_UNSUPPORTED)
_NONE_SET = (None,) * len(_UNSUPPORTED)
_INSTEAD = {"functions": "tools", "function_call": "tool_choice"}

_SERVICE_TIERS = {"flex": "flex", "priority": "priority", "fast": "priority"}

_METADATA_KEY = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}", re.ASCII)
_METADATA_VALUE = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}", re.ASCII)
_MOST_METADATA = 16


def to_converse(
    request: ChatCompletionRequest, deployment: BedrockDeployment, *, max_output_tokens: int
) -> bytes:
    """The JSON body that asks Converse or ConverseStream for what the request asks for.

    max_output_tokens is sent when the request sets no limit. Raises GatewayError 400 naming the
    field that Converse or the model cannot honour; nothing that changes the answer is left out silently.
    """
    _refuse_unsupported(request)
    foundation_model = deployment.foundation_model
    conversation = _conversation(request, foundation_model)
    limit = request.max_completion_tokens or request.max_tokens
    thoughts = reasoning(request.reasoning_effort, foundation_model, limit or max_output_tokens)
    if limit is None and not refuses_limit(request.reasoning_effort, foundation_model):
        limit = max_output_tokens
    tools, model_fields = tool_config(request), thoughts.model_fields
    if tools and request.parallel_tool_calls is False:
        model_fields = model_fields | serial_tool_choice(tools, foundation_model)
    body = {
        "messages": conversation.turns,
        "system": conversation.system,
        "inferenceConfig": _inference_config(request, limit),
        "toolConfig": tools,
        "additionalModelRequestFields": model_fields,
        "outputConfig": _output_config(request, thoughts.effort),
        "guardrailConfig": _guardrail_config(deployment.guardrail, stream=bool(request.stream)),
        "requestMetadata": _request_metadata(request.metadata or {}),
        "serviceTier": _service_tier(request),
    }
    return _encode({name: value for name, value in body.items() if value})


def _conversation(request: ChatCompletionRequest, foundation_model: str) -> Conversation:
    conversation = Conversation(
        tools_offered=tools_offered(request), takes_thinking_back=foundation_model.startswith("anthropic.")
    )
    for index, message in enumerate(request.messages):
        conversation.add(message, index)
    conversation.finish()
    return conversation


def _refuse_unsupported(request: ChatCompletionRequest) -> None:
    if request.stream_options is not None and request.stream_options.include_obfuscation:
        raise _unsupported_value("stream_options.include_obfuscation", True, "false")
    values = _unsupported_values(request)
    if values == _NONE_SET:
        return
    for (name, harmless), value in zip(_UNSUPPORTED.items(), values, strict=True):
        if value is not None and value not in harmless:
            fix = f"use {_INSTEAD[name]}" if name in _INSTEAD else "leave it out"
            message = f"{name} is not supported by models served through Bedrock's Converse API; {fix}."
            raise invalid_request(message, param=name, code="unsupported_parameter")


def _inference_config(request: ChatCompletionRequest, max_tokens: int | None) -> Block:
    config: Block = {} if max_tokens is None else {"maxTokens": max_tokens}
    if request.temperature is not None:
        if request.temperature > 1:
            raise _unsupported_value("temperature", request.temperature, "0 to 1")
        config["temperature"] = request.temperature
    if request.top_p is not None:
        config["topP"] = request.top_p
    if request.stop:
        config["stopSequences"] = _stop_sequences(request.stop)
    return config


def _stop_sequences(stop: str | list[str]) -> list[str]:
    if isinstance(stop, str):
        return [stop]
    for index, sequence in enumerate(stop):
        if not sequence:
            raise _unsupported_value(f"stop[{index}]", sequence, "text of at least one character")
    return stop


def _output_config(request: ChatCompletionRequest, effort: str | None) -> Block:
    config: Block = {} if effort is None else {"effort": effort}
    match request.response_format:
        case JsonObjectFormat():
            raise invalid_request(
                "response_format.type json_object is not supported: Converse takes a schema; "
                "send json_schema with the schema you expect, or ask for JSON in the prompt.",
                param="response_format.type",
                code="unsupported_value",
            )
        case JsonSchemaFormat() as output_format:
            config["textFormat"] = _text_format(output_format)
    return config


def _text_format(output_format: JsonSchemaFormat) -> Block:
    json_schema = output_format.json_schema
    if json_schema.schema is None:
        path = "response_format.json_schema.schema"
        raise invalid_request(f"{path} is required.", param=path, code="missing_required_parameter")
    definition = {"name": json_schema.name, "schema": _encode(json_schema.schema).decode()}
    if json_schema.description:
        definition["description"] = json_schema.description
    return {"type": "json_schema", "structure": {"jsonSchema": definition}}


def _guardrail_config(guardrail: Guardrail | None, *, stream: bool) -> Block | None:
    if guardrail is None:
        return None
    config = {
        "guardrailIdentifier": guardrail.identifier,
        "guardrailVersion": guardrail.version,
        "trace": "disabled",
    }
    # What the guardrail has not seen yet must not reach the caller.
    return config | {"streamProcessingMode": "sync"} if stream else config


def _request_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """Metadata as Bedrock writes it into its invocation logs."""
    if len(metadata) > _MOST_METADATA:
        raise _unsupported_value("metadata", f"{len(metadata)} pairs", f"at most {_MOST_METADATA} pairs")
    for key, value in metadata.items():
        if not _METADATA_KEY.fullmatch(key) or not _METADATA_VALUE.fullmatch(value):
            allowed = "keys and values of up to 256 ASCII letters, digits, spaces and : _ @ $ # = / + , . -"
            raise _unsupported_value("metadata", f"{key[:100]!r}: {value[:100]!r}", allowed)
    return metadata


def _service_tier(request: ChatCompletionRequest) -> Block | None:
    # auto and default are what Bedrock does unasked; naming them would fail on models without tiers.
    if request.service_tier in (None, "auto", "default"):
        return None
    if request.service_tier not in _SERVICE_TIERS:
        raise _unsupported_value(
            "service_tier", request.service_tier, f"auto, default, {', '.join(_SERVICE_TIERS)}"
        )
    return {"type": _SERVICE_TIERS[request.service_tier]}


def _unsupported_value(param: str, value: Any, allowed: str) -> GatewayError:
    message = f"{param} is {value!r}; allowed by models served through Bedrock's Converse API: {allowed}."
    return invalid_request(message, param=param, code="unsupported_value")
