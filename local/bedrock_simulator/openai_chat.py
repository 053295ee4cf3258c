"""OpenAI's chat completions: what a body asks, and an answer as a body or as a stream's events."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from local.bedrock_simulator.answers import (
    ANY_TOOL,
    Answer,
    Prompt,
    Reasoning,
    StreamEvent,
    Text,
    ToolCall,
    count_tokens,
    json_pieces,
    split_tokens,
)
from local.bedrock_simulator.compact_json import compact_json
from local.bedrock_simulator.errors import invalid

DONE = "[DONE]"
"""The type of the event that marks a stream's end."""

_FIELDS = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "prediction",
        "prompt_cache_key",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
    }
)
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
}


def check_body(body: Mapping[str, Any], *, also_allowed: frozenset[str] = frozenset()) -> None:
    """Raise ServiceError for a body that the API refuses; also_allowed are fields beyond OpenAI's own."""
    unknown = next((name for name in body if name not in _FIELDS | also_allowed), None)
    if unknown is not None:
        raise invalid(f"Unrecognized request argument supplied: {unknown}")
    if not isinstance(body.get("model"), str):
        raise invalid("you must provide a model parameter")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("[] is too short - 'messages'")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise invalid(f"Invalid value: messages[{index}].role. Supported values are: {sorted(_ROLES)}.")
    if "stream_options" in body and not body.get("stream"):
        raise invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    if "max_tokens" in body and "max_completion_tokens" in body:
        raise invalid("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")


def read_prompt(body: Mapping[str, Any]) -> Prompt:
    """What a valid body asks of a model."""
    messages = body["messages"]
    functions = [tool["function"] for tool in body.get("tools") or [] if tool["type"] == "function"]
    users = [message for message in messages if message["role"] == "user"]
    stop = body.get("stop") or ()
    return Prompt(
        text=_text(users[-1]) if users else "",
        tools={function["name"]: function.get("parameters") or {} for function in functions},
        forced_tool=_forced_tool(body.get("tool_choice")),
        answers_tool_results=messages[-1]["role"] == "tool",
        thinks=body.get("reasoning_effort") not in (None, "none"),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        stop_sequences=(stop,) if isinstance(stop, str) else tuple(stop),
        input_tokens=max(1, sum(count_tokens(_text(message)) for message in messages)),
    )


def write_response(answer: Answer, model: str, number: int) -> dict[str, Any]:
    """The body of a whole answer."""
    calls = [block for block in answer.blocks if isinstance(block, ToolCall)]
    message: dict[str, Any] = {"role": "assistant", "content": _said(answer, Text) or None, "refusal": None}
    if reasoning := _said(answer, Reasoning):
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": compact_json(call.input)},
            }
            for call in calls
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(answer)}
    return _head(number, "chat.completion", model) | {"choices": [choice], "usage": _usage(answer)}


def write_events(answer: Answer, model: str, number: int, *, include_usage: bool) -> Iterator[StreamEvent]:
    """The events of a streamed answer; their type is empty but for the end's mark."""
    head = _head(number, "chat.completion.chunk", model)
    tail = {"usage": None} if include_usage else {}

    def chunk(delta: Mapping[str, Any], finish: str | None = None, tokens: int = 0) -> StreamEvent:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return StreamEvent("", head | {"choices": [choice]} | tail, tokens)

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    called = 0
    for block in answer.blocks:
        if isinstance(block, ToolCall):
            function = {"name": block.name, "arguments": ""}
            call = {"index": called, "id": block.call_id, "type": "function", "function": function}
            yield chunk({"tool_calls": [call]}, tokens=1)
            for piece in json_pieces(block.input):
                yield chunk({"tool_calls": [{"index": called, "function": {"arguments": piece}}]})
            called += 1
            continue
        field = "content" if isinstance(block, Text) else "reasoning_content"
        for token in split_tokens(block.text):
            yield chunk({field: token}, tokens=1)
    yield chunk({}, _finish_reason(answer))
    if include_usage:
        yield StreamEvent("", head | {"choices": [], "usage": _usage(answer)})
    yield StreamEvent(DONE, {})


def _head(number: int, kind: str, model: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number:024d}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
        "system_fingerprint": "fp_simulated",
    }


def _usage(answer: Answer) -> dict[str, Any]:
    reasoning = count_tokens(_said(answer, Reasoning))
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def _said(answer: Answer, kind: type[Text] | type[Reasoning]) -> str:
    return "".join(block.text for block in answer.blocks if isinstance(block, kind))


def _finish_reason(answer: Answer) -> str:
    return _FINISH_REASONS.get(answer.stop_reason, "content_filter")


def _forced_tool(choice: Any) -> str | None:
    if isinstance(choice, dict):
        name: str = choice["function"]["name"]
        return name
    return ANY_TOOL if choice == "required" else None


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content)
