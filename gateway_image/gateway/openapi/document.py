"""The OpenAPI document of the gateway's API."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from gateway import errors
from gateway.anthropic import errors as anthropic_errors
from gateway.openapi.bodies import RESPONSE_ITEMS
from gateway.openapi.headers import header_components, headers_of
from gateway.openapi.operations import OPERATIONS, Operation
from gateway.openapi.schemas import Json, components, reference

_DESCRIPTION = (
    "The APIs of OpenAI and Anthropic for all models of this gateway. What a model cannot do is a 400 that "
    "names the field; fields that are not described here reach models whose provider has the API itself."
)
_SECURITY_SCHEMES: Json = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
}
_FAILURES = {
    400: "The request has to change.",
    401: "There is no API key, or it is nobody's.",
    404: "There is no such model, or nothing that can do this for it.",
    408: "The body came too slowly.",
    413: "The body is too large, or too large for the model.",
    422: "The model's provider refused the request.",
    429: "The key's limit is used up, or no deployment of the model has capacity left.",
    500: "The gateway failed.",
    502: "The model's provider failed.",
    503: "The model's provider is away, or this gateway is overloaded or stopping.",
    504: "The model's provider took too long.",
}
_WITHOUT_A_MODELS_ANSWER = (400, 401, 404, 500, 503)
_PATH_PARAMETER: Json = {
    "name": "model",
    "in": "path",
    "required": True,
    "description": "The model's name; GET /v1/models lists them.",
    "schema": {"type": "string", "minLength": 1},
}
_API_VERSION: Json = {
    "name": "api-version",
    "in": "query",
    "description": "Sent by Azure's clients; without effect.",
    "schema": {"type": "string"},
}


def document() -> bytes:
    """The document as JSON."""
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "Gatehouse gateway", "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components(_types()),
            "headers": header_components(),
            "responses": _failure_components(),
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n"


def _types() -> Mapping[str, Sequence[type[Struct]]]:
    groups: dict[str, list[type[Struct]]] = {
        "errors": [errors.ErrorResponse],
        "messages": [anthropic_errors.ErrorResponse],
        "responses": [*RESPONSE_ITEMS],
    }
    for operation in OPERATIONS:
        types = groups.setdefault(operation.group, [])
        types += [type_ for type_ in (operation.body, operation.answer) if type_ and type_ not in types]
    return groups


def _operation(operation: Operation) -> Json:
    described: Json = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.group],
        "security": [] if operation.public else [{name: []} for name in _SECURITY_SCHEMES],
        "responses": {
            **{str(status): _answer(operation, status) for status in operation.statuses},
            **{str(status): _failure(operation, status) for status in _failures(operation)},
        },
    }
    if parameters := _parameters(operation):
        described["parameters"] = parameters
    if operation.body is not None:
        schema = reference(operation.group, operation.body.__name__)
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _parameters(operation: Operation) -> list[Json]:
    parameters = [_PATH_PARAMETER] if "{model}" in operation.path else []
    return [*parameters, _API_VERSION] if operation.path.startswith("/openai/") else parameters


def _answer(operation: Operation, status: int) -> Json:
    schema = reference(operation.group, operation.answer.__name__)
    content: Json = {"application/json": {"schema": schema}}
    description = "The answer."
    if operation.streams is not None:
        # What events hold can be described from OpenAPI 3.2 on.
        content["text/event-stream"] = {}
        description += f" {operation.streams}"
    headers = headers_of(status, anthropic=operation.anthropic, by_model=operation.body is not None)
    return {"description": description, "headers": headers, "content": content}


def _failures(operation: Operation) -> Iterable[int]:
    if operation.public:
        return ()
    return _FAILURES if operation.body is not None else _WITHOUT_A_MODELS_ANSWER


def _failure(operation: Operation, status: int) -> Json:
    return {"$ref": f"#/components/responses/{_failure_name(status, anthropic=operation.anthropic)}"}


def _failure_components() -> dict[str, Json]:
    return {
        _failure_name(status, anthropic=anthropic): {
            "description": text,
            "headers": headers_of(status, anthropic=anthropic, by_model=True),
            "content": {
                "application/json": {
                    "schema": reference("messages" if anthropic else "errors", "ErrorResponse")
                }
            },
        }
        for anthropic in (False, True)
        for status, text in _FAILURES.items()
    }


def _failure_name(status: int, *, anthropic: bool) -> str:
    return f"{'anthropic' if anthropic else 'openai'}.{status}"
