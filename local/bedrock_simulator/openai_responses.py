"""OpenAI's Responses API, as far as texts go: what a body asks, and an answer as a body or as events."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from local.bedrock_simulator.answers import Answer, Prompt, StreamEvent, Text, count_tokens, split_tokens
from local.bedrock_simulator.errors import invalid

_FIELDS = frozenset(
    {
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "metadata",
        "model",
        "parallel_tool_calls",
        "reasoning",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_p",
        "truncation",
        "user",
    }
)


def check_body(body: Mapping[str, Any]) -> None:
    """Raise ServiceError for a body that the API refuses."""
    unknown = next((name for name in body if name not in _FIELDS), None)
    if unknown is not None:
        raise invalid(f"Unknown parameter: '{unknown}'.")
    if not isinstance(body.get("model"), str):
        raise invalid("Missing required parameter: 'model'.")
    if not isinstance(body.get("input"), str | list) or not body["input"]:
        raise invalid("Missing required parameter: 'input'.")


def read_prompt(body: Mapping[str, Any]) -> Prompt:
    """What a valid body asks of a model."""
    text = body["input"] if isinstance(body["input"], str) else _text(body["input"][-1])
    return Prompt(
        text=text,
        tools={},
        forced_tool=None,
        answers_tool_results=False,
        thinks=False,
        max_tokens=body.get("max_output_tokens"),
        stop_sequences=(),
        input_tokens=max(1, count_tokens(text)),
    )


def write_response(answer: Answer, model: str, number: int) -> dict[str, Any]:
    """The body of a whole answer."""
    cut = answer.stop_reason == "max_tokens"
    return _response(model, number, "incomplete" if cut else "completed") | {
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": [_message(answer, number)],
        "usage": {
            "input_tokens": answer.input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": answer.input_tokens + answer.output_tokens,
        },
    }


def write_events(answer: Answer, model: str, number: int) -> Iterator[StreamEvent]:
    """The events of a streamed answer, numbered."""
    whole = write_response(answer, model, number)
    begun = _response(model, number, "in_progress")
    message = _message(answer, number)
    place = {"item_id": message["id"], "output_index": 0, "content_index": 0}
    empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    events: list[tuple[str, dict[str, Any], int]] = [
        ("response.created", {"response": begun}, 0),
        ("response.in_progress", {"response": begun}, 0),
        ("response.output_item.added", {"output_index": 0, "item": message | {"content": []}}, 0),
        ("response.content_part.added", place | {"part": empty}, 0),
    ]
    text = _said(answer)
    events += [
        ("response.output_text.delta", place | {"delta": token, "logprobs": []}, 1)
        for token in split_tokens(text)
    ]
    events += [
        ("response.output_text.done", place | {"text": text, "logprobs": []}, 0),
        ("response.content_part.done", place | {"part": empty | {"text": text}}, 0),
        ("response.output_item.done", {"output_index": 0, "item": message}, 0),
        (f"response.{whole['status']}", {"response": whole}, 0),
    ]
    for sequence, (kind, payload, tokens) in enumerate(events):
        yield StreamEvent(kind, {"type": kind, "sequence_number": sequence, **payload}, tokens)


def _response(model: str, number: int, status: str) -> dict[str, Any]:
    return {
        "id": f"resp_{number:024d}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
    }


def _message(answer: Answer, number: int) -> dict[str, Any]:
    part = {"type": "output_text", "text": _said(answer), "annotations": [], "logprobs": []}
    return {
        "id": f"msg_{number:024d}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


def _said(answer: Answer) -> str:
    return "".join(block.text for block in answer.blocks if isinstance(block, Text))


def _text(item: Mapping[str, Any]) -> str:
    content = item.get("content") or ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
