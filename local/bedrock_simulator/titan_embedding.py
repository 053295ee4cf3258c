"""InvokeModel for Amazon Titan Text Embeddings V2."""

from collections.abc import Mapping
from typing import Any

from local.bedrock_simulator.answers import count_tokens
from local.bedrock_simulator.errors import malformed
from local.bedrock_simulator.vectors import vector

_DEFAULT_DIMENSIONS = 1024
_DIMENSIONS = (256, 512, 1024)
_TYPES = ("float", "binary")
_KEYS = ("inputText", "dimensions", "normalize", "embeddingTypes")


def check_body(body: Mapping[str, Any]) -> None:
    """Raise ServiceError for a body that Titan refuses."""
    extraneous = next((key for key in body if key not in _KEYS), None)
    if extraneous is not None:
        raise malformed(f"#: extraneous key [{extraneous}] is not permitted")
    if "inputText" not in body:
        raise malformed("#: required key [inputText] not found")
    if not isinstance(body["inputText"], str):
        raise malformed(f"#/inputText: expected type: String, found: {type(body['inputText']).__name__}")
    if not body["inputText"]:
        raise malformed("#/inputText: expected minLength: 1, actual: 0")
    if body.get("dimensions", _DEFAULT_DIMENSIONS) not in _DIMENSIONS:
        raise malformed(f"#/dimensions: {body['dimensions']} is not a valid enum value")
    if not isinstance(body.get("normalize", True), bool):
        raise malformed(f"#/normalize: expected type: Boolean, found: {type(body['normalize']).__name__}")
    types = body.get("embeddingTypes", ["float"])
    if not isinstance(types, list) or not types or any(kind not in _TYPES for kind in types):
        raise malformed("#/embeddingTypes: is not a valid enum value")


def input_tokens(body: Mapping[str, Any]) -> int:
    """The input tokens of a valid body."""
    return max(1, count_tokens(body["inputText"]))


def write_response(body: Mapping[str, Any]) -> dict[str, Any]:
    """The response to a valid body; equal texts have equal vectors."""
    types = body.get("embeddingTypes", ["float"])
    floats = vector(
        body["inputText"],
        body.get("dimensions", _DEFAULT_DIMENSIONS),
        normalize=body.get("normalize", True),
    )
    by_type = {"float": floats, "binary": [int(value > 0) for value in floats]}
    response: dict[str, Any] = {
        "embeddingsByType": {kind: by_type[kind] for kind in types},
        "inputTextTokenCount": input_tokens(body),
    }
    return response | ({"embedding": floats} if "float" in types else {})
