"""Server-sent events as OpenAI's APIs write them."""

from collections.abc import Mapping
from typing import Any

from local.bedrock_simulator.compact_json import compact_json
from local.bedrock_simulator.openai_chat import DONE

CONTENT_TYPE = "text/event-stream"


def encode_event(event_type: str, payload: Mapping[str, Any]) -> bytes:
    """An event; chat completions' have no type, but for the mark at the end."""
    if event_type == DONE:
        return f"data: {DONE}\n\n".encode()
    name = f"event: {event_type}\n" if event_type else ""
    return f"{name}data: {compact_json(payload)}\n\n".encode()


def encode_exception(exception_type: str, payload: Mapping[str, Any]) -> bytes:
    """An error in mid-stream; nothing follows it."""
    error = {"message": payload["message"], "type": "server_error", "code": exception_type, "param": None}
    return f"data: {compact_json({'error': error})}\n\n".encode()
