"""InvokeModel for Amazon Nova Multimodal Embeddings, for texts."""

from collections.abc import Mapping
from typing import Any

from local.bedrock_simulator.answers import count_tokens
from local.bedrock_simulator.errors import malformed
from local.bedrock_simulator.vectors import vector

_DIMENSIONS = (256, 384, 1024, 3072)
_DEFAULT_DIMENSIONS = 3072
_PURPOSES = (
    "GENERIC_INDEX",
    "GENERIC_RETRIEVAL",
    "TEXT_RETRIEVAL",
    "IMAGE_RETRIEVAL",
    "VIDEO_RETRIEVAL",
    "DOCUMENT_RETRIEVAL",
    "AUDIO_RETRIEVAL",
    "CLASSIFICATION",
    "CLUSTERING",
)
_TRUNCATION_MODES = ("START", "END", "NONE")


def check_body(body: Mapping[str, Any]) -> None:
    """Raise ServiceError for a body that the model refuses."""
    _only(body, "#", ("schemaVersion", "taskType", "singleEmbeddingParams"))
    if body.get("taskType") != "SINGLE_EMBEDDING":
        raise malformed("#/taskType: is not a valid enum value")
    parameters = body.get("singleEmbeddingParams")
    if not isinstance(parameters, dict):
        raise malformed("#: required key [singleEmbeddingParams] not found")
    _only(parameters, "#/singleEmbeddingParams", ("embeddingPurpose", "embeddingDimension", "text"))
    if parameters.get("embeddingPurpose") not in _PURPOSES:
        raise malformed("#/singleEmbeddingParams/embeddingPurpose: is not a valid enum value")
    if parameters.get("embeddingDimension", _DEFAULT_DIMENSIONS) not in _DIMENSIONS:
        raise malformed("#/singleEmbeddingParams/embeddingDimension: is not a valid enum value")
    text = parameters.get("text")
    if not isinstance(text, dict) or not isinstance(text.get("value"), str) or not text["value"]:
        raise malformed("#/singleEmbeddingParams/text: required key [value] not found")
    _only(text, "#/singleEmbeddingParams/text", ("truncationMode", "value"))
    if text.get("truncationMode") not in _TRUNCATION_MODES:
        raise malformed("#/singleEmbeddingParams/text/truncationMode: is not a valid enum value")


def input_tokens(body: Mapping[str, Any]) -> int:
    """The input tokens of a valid body, which the answer's body does not tell."""
    return max(1, count_tokens(body["singleEmbeddingParams"]["text"]["value"]))


def write_response(body: Mapping[str, Any]) -> dict[str, Any]:
    """The response to a valid body."""
    parameters = body["singleEmbeddingParams"]
    dimensions = parameters.get("embeddingDimension", _DEFAULT_DIMENSIONS)
    embedding = vector(parameters["text"]["value"], dimensions)
    return {"embeddings": [{"embeddingType": "TEXT", "embedding": embedding}]}


def _only(value: Mapping[str, Any], path: str, allowed: tuple[str, ...]) -> None:
    extraneous = next((key for key in value if key not in allowed), None)
    if extraneous is not None:
        raise malformed(f"{path}: extraneous key [{extraneous}] is not permitted")
