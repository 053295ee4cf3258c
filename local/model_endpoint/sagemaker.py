"""SageMaker's runtime around OpenAI's bodies: paths, the event stream and the errors."""

import json
from typing import Any

from aiohttp import web

from local.bedrock_simulator.event_stream import CONTENT_TYPE, encode_message
from local.model_endpoint.api import RefusedError

__all__ = ["CONTENT_TYPE", "api_of", "container_refusal", "refusal", "wrap"]

_MISSING = 400


def api_of(body: bytes) -> str:
    """The API that the container takes a body for: it has one path for all."""
    try:
        fields = json.loads(body)
    except ValueError:
        return "/chat/completions"
    return "/embeddings" if isinstance(fields, dict) and "input" in fields else "/chat/completions"


def wrap(part: bytes) -> bytes:
    """A piece of the container's stream as an event."""
    headers = {
        ":message-type": "event",
        ":event-type": "PayloadPart",
        ":content-type": "application/octet-stream",
    }
    return encode_message(headers, part)


def container_refusal(status: int, body: str) -> web.Response:
    """What the container refused, as SageMaker tells it."""
    told = {
        "Message": f"Received client error ({status}) from primary with message {body!r}.",
        "OriginalStatusCode": status,
        "OriginalMessage": body,
        "LogStreamArn": "arn:aws:logs:us-east-1:111122223333:log-group:/aws/sagemaker/Endpoints/llm",
    }
    return _error(424, "ModelError", told)


def refusal(error: RefusedError) -> web.Response:
    """A refusal of SageMaker itself, which does not know the endpoint."""
    return _error(_MISSING, "ValidationError", {"Message": str(error)})


def _error(status: int, name: str, told: dict[str, Any]) -> web.Response:
    return web.json_response(told, status=status, headers={"x-amzn-ErrorType": name})
