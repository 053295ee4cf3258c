"""OpenAI's APIs, free of HTTP: a body in, an answer or a refusal out."""

import base64
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from local.bedrock_simulator import openai_chat, openai_responses
from local.bedrock_simulator.answers import StreamEvent, answer, count_tokens
from local.bedrock_simulator.errors import ServiceError, invalid
from local.bedrock_simulator.vectors import vector

# What vLLM and its like take beside OpenAI's own fields.
_VENDOR_FIELDS = frozenset({"chat_template_kwargs", "min_p", "repetition_penalty", "top_k"})
_EMBEDDING_FIELDS = frozenset({"dimensions", "encoding_format", "input", "model", "user"})
_DIMENSIONS = 256
_MOST_DIMENSIONS = 3072


class RefusedError(Exception):
    """A refusal in OpenAI's form."""

    def __init__(
        self, status: int, message: str, *, type: str = "invalid_request_error", code: str | None = None
    ):
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": type, "param": None, "code": code}}


@dataclass(frozen=True)
class Answered:
    """A whole answer, or the events of a streamed one."""

    body: Mapping[str, Any] | None = None
    events: Iterator[StreamEvent] | None = None


def answer_call(path: str, raw: bytes, number: int) -> tuple[dict[str, Any], Answered]:
    """The decoded body and the answer of the API at a path like /chat/completions; raises RefusedError."""
    try:
        body = json.loads(raw)
    except ValueError:
        raise RefusedError(400, "We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise RefusedError(400, "The body of your request is not a JSON object.")
    try:
        return body, _APIS[path](body, number)
    except ServiceError as error:
        raise RefusedError(400, error.message) from None


def _chat(body: dict[str, Any], number: int) -> Answered:
    openai_chat.check_body(body, also_allowed=_VENDOR_FIELDS)
    given = answer(openai_chat.read_prompt(body), None, number)
    if not body.get("stream"):
        return Answered(openai_chat.write_response(given, body["model"], number))
    include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    write = partial(openai_chat.write_events, given, body["model"], number)
    return Answered(events=write(include_usage=include_usage))


def _responses(body: dict[str, Any], number: int) -> Answered:
    openai_responses.check_body(body)
    given = answer(openai_responses.read_prompt(body), None, number)
    if not body.get("stream"):
        return Answered(openai_responses.write_response(given, body["model"], number))
    return Answered(events=openai_responses.write_events(given, body["model"], number))


def _embeddings(body: dict[str, Any], _number: int) -> Answered:
    unknown = next((name for name in body if name not in _EMBEDDING_FIELDS), None)
    if unknown is not None:
        raise invalid(f"Unrecognized request argument supplied: {unknown}")
    texts = [body["input"]] if isinstance(body.get("input"), str) else body.get("input")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise invalid("'$.input' is invalid. Please check the API reference.")
    dimensions = _DIMENSIONS if body.get("dimensions") is None else body["dimensions"]
    if not isinstance(dimensions, int) or not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise invalid(f"'$.dimensions' must be between 1 and {_MOST_DIMENSIONS}.")
    write = _base64 if body.get("encoding_format") == "base64" else list
    data = [
        {"object": "embedding", "index": index, "embedding": write(vector(text, dimensions))}
        for index, text in enumerate(texts)
    ]
    tokens = sum(map(count_tokens, texts))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Answered({"object": "list", "data": data, "model": body["model"], "usage": usage})


def _base64(values: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


_APIS: Mapping[str, Callable[[dict[str, Any], int], Answered]] = {
    "/chat/completions": _chat,
    "/embeddings": _embeddings,
    "/responses": _responses,
}
