"""GET /admin/v1/openapi.json: the description of this API, made from its models. It names no secret."""

import inspect
from functools import cache
from typing import Any

import msgspec
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.admin.operations import OPERATIONS, Operation
from gateway.request import Request

Json = dict[str, Any]

_TITLE = "Gatehouse gateway: administration"
_DESCRIPTION = (
    "Projects, API keys, roles, limits, usage and the log of changes, for callers with the role 'admin'; "
    "/v1/limits and /v1/usage tell every caller about itself. Lists come in pages; times are RFC 3339 in "
    "UTC; answers carry an ETag that If-Match and If-None-Match take; changes take an Idempotency-Key."
)
_SECURITY_SCHEMES: Json = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
}
_ALWAYS = (400, 401, 403, 429, 500, 503)
_WITH_A_BODY = (408, 413)
_FAILURES = {
    400: "The request has to change; `errors` names every field at fault.",
    401: "There are no credentials, or they are nobody's.",
    403: "The caller is no admin, or may not call from there.",
    404: "There is no such object.",
    408: "The body came too slowly.",
    409: "The request does not fit what there is now, or its Idempotency-Key came with another one.",
    412: "The object is not at the state that if-match names.",
    413: "The body is too large.",
    429: "Too many requests with invalid credentials came from the address.",
    500: "The gateway failed.",
    503: "The database or the cache is away; retry-after says when to ask again.",
}
_IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key with the same request, within a day, gets the same answer; nothing is done "
    "twice. A replay says `idempotent-replayed: true`.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"},
}
_IF_MATCH: Json = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of the state that the change is meant for.",
    "schema": {"type": "string"},
}
_ERROR: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"], "description": "The first field at fault."},
                "code": {"type": ["string", "null"]},
                "errors": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "value", "allowed"],
                        "properties": {
                            "field": {"type": "string"},
                            "value": {"type": ["string", "null"]},
                            "allowed": {"type": "string"},
                        },
                    },
                },
            },
        }
    },
}
_ERROR_CONTENT: Json = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}


async def describe(request: Request) -> None:
    """Answer with the document."""
    await request.respond(200, _encoded())


@cache
def _encoded() -> bytes:
    return msgspec.json.encode(document())


def document() -> Json:
    """The OpenAPI document."""
    schemas = _Schemas()
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas.components | {"Error": _ERROR},
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


class _Schemas:
    """The JSON Schemas of all bodies: of requests as they are validated, of answers as they are written."""

    def __init__(self) -> None:
        bodies = {operation.body for operation in OPERATIONS if operation.body is not None}
        answers = {operation.answer for operation in OPERATIONS}
        models: list[tuple[type[BaseModel], Any]] = [
            *((model, "validation") for model in sorted(bodies, key=str)),
            *((model, "serialization") for model in sorted(answers, key=str)),
        ]
        self._references, definitions = models_json_schema(
            models, ref_template="#/components/schemas/{model}"
        )
        self.components: dict[str, Json] = {
            name: _public(schema) for name, schema in definitions["$defs"].items()
        }

    def body(self, operation: Operation) -> Json:
        """Of a request's body; a patch may leave out every field, and null sets one back."""
        assert operation.body is not None  # noqa: S101 (asked only then)
        reference: Json = self._references[operation.body, "validation"]
        if not operation.body_is_patch:
            return reference
        name = reference["$ref"].rpartition("/")[2]
        patch = f"{name}Patch"
        whole = self.components[name]
        properties = {field: _nullable(schema) for field, schema in whole["properties"].items()}
        properties |= {field: whole["properties"][field] for field in whole.get("required", ())}
        self.components[patch] = {
            "type": "object",
            "title": patch,
            "description": "A JSON Merge Patch (RFC 7396): what is left out stays, null sets a field back.",
            "properties": properties,
            "additionalProperties": False,
        }
        return {"$ref": f"#/components/schemas/{patch}"}

    def answer(self, operation: Operation) -> Json:
        """Of an answer's body."""
        reference: Json = self._references[operation.answer, "serialization"]
        return reference


def _nullable(schema: Json) -> Json:
    alternatives = schema.get("anyOf", ())
    if {"type": "null"} in alternatives:
        return schema
    return {"anyOf": [{name: schema[name] for name in schema if name != "default"}, {"type": "null"}]}


def _operation(operation: Operation, schemas: _Schemas) -> Json:
    described: Json = {
        "operationId": operation.act.__name__,
        "summary": (inspect.getdoc(operation.act) or "").replace("\n", " "),
        "tags": [operation.path.split("/")[3 if operation.for_admins else 2]],
        "security": [{name: []} for name in _SECURITY_SCHEMES],
        "responses": {
            **{str(status): _answer(operation, schemas) for status in operation.statuses},
            **{str(status): _failure(status) for status in _failures(operation)},
        },
    }
    if parameters := _parameters(operation):
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {"application/json": {"schema": schemas.body(operation)}},
        }
    return described


def _failures(operation: Operation) -> list[int]:
    statuses = {*_ALWAYS, *operation.failures}
    if operation.body is not None:
        statuses.update(_WITH_A_BODY)
    if operation.changes:
        statuses.add(409)
    return sorted(statuses)


def _failure(status: int) -> Json:
    return {"description": _FAILURES[status], "content": _ERROR_CONTENT}


def _answer(operation: Operation, schemas: _Schemas) -> Json:
    content: Json = {"application/json": {"schema": schemas.answer(operation)}}
    if operation.has_csv:
        content["text/csv"] = {"schema": {"type": "string"}}
    answer: Json = {"description": inspect.cleandoc(operation.answer.__doc__ or ""), "content": content}
    if operation.has_etag:
        answer["headers"] = {"etag": {"schema": {"type": "string"}}}
    return answer


def _parameters(operation: Operation) -> list[Json]:
    parameters: list[Json] = []
    if "{" in operation.path:
        name = operation.path.partition("{")[2].partition("}")[0]
        parameters.append(
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        )
    schema = operation.query.model_json_schema()
    for name, described in schema.get("properties", {}).items():
        public = _public(described)
        words = public.pop("description", None)
        parameter: Json = {"name": name, "in": "query", "schema": _without_null(public)}
        parameters.append(parameter if words is None else {**parameter, "description": words})
    if operation.changes:
        parameters.append(_IDEMPOTENCY_KEY)
    if 412 in operation.failures:
        parameters.append(_IF_MATCH)
    return parameters


def _without_null(schema: Json) -> Json:
    """The schema of a parameter: one that is not given is left out, not null."""
    alternatives = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    kept = {name: value for name, value in schema.items() if name != "anyOf" and value is not None}
    return kept | alternatives[0] if len(alternatives) == 1 else schema


def _public(schema: Any) -> Any:
    """A schema as callers see it: without words that are for editors."""
    if isinstance(schema, list):
        return [_public(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    public = {name: _public(value) for name, value in schema.items() if name != "patternErrorMessage"}
    if isinstance(text := public.get("description"), str):
        public["description"] = inspect.cleandoc(text)
    return public
