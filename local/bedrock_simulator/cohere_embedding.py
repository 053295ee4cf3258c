"""InvokeModel for Cohere's Embed models, versions 3 and 4, for texts."""

from collections.abc import Mapping
from typing import Any

from local.bedrock_simulator.answers import count_tokens
from local.bedrock_simulator.errors import malformed
from local.bedrock_simulator.vectors import vector

_MOST_TEXTS = 96
_INPUT_TYPES = ("search_document", "search_query", "classification", "clustering")
_TYPES = ("float", "int8", "uint8", "binary", "ubinary")
_KEYS = ("texts", "input_type", "truncate", "embedding_types")
_V4_KEYS = (*_KEYS, "output_dimension", "max_tokens")
_V4_DIMENSIONS = (256, 512, 1024, 1536)


def check_body(body: Mapping[str, Any], model_id: str) -> None:
    """Raise ServiceError for a body that the model refuses."""
    v4 = _is_v4(model_id)
    extraneous = next((key for key in body if key not in (_V4_KEYS if v4 else _KEYS)), None)
    if extraneous is not None:
        raise malformed(f"#: extraneous key [{extraneous}] is not permitted")
    texts = body.get("texts")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise malformed("#: required key [texts] not found")
    if not 1 <= len(texts) <= _MOST_TEXTS:
        raise malformed(f"#/texts: expected maximum item count: {_MOST_TEXTS}, found: {len(texts)}")
    if body.get("input_type") not in _INPUT_TYPES:
        raise malformed(f"#/input_type: {body.get('input_type')} is not a valid enum value")
    if v4 and body.get("output_dimension", 1536) not in _V4_DIMENSIONS:
        raise malformed(f"#/output_dimension: {body['output_dimension']} is not a valid enum value")
    types = body.get("embedding_types", ["float"])
    if not isinstance(types, list) or any(kind not in _TYPES for kind in types):
        raise malformed("#/embedding_types: is not a valid enum value")


def input_tokens(body: Mapping[str, Any]) -> int:
    """The input tokens of a valid body, which the answer's body does not tell."""
    return max(1, sum(map(count_tokens, body["texts"])))


def write_response(body: Mapping[str, Any], model_id: str) -> dict[str, Any]:
    """The response to a valid body; only floats are made."""
    dimensions = body.get("output_dimension", 1536 if _is_v4(model_id) else 1024)
    vectors = [vector(text, dimensions) for text in body["texts"]]
    by_type = "embedding_types" in body
    return {
        "id": "00000000-0000-0000-0000-000000000000",
        "texts": body["texts"],
        "embeddings": {"float": vectors} if by_type else vectors,
        "response_type": "embeddings_by_type" if by_type else "embeddings_floats",
    }


def _is_v4(model_id: str) -> bool:
    return model_id.startswith("cohere.embed-v4")
