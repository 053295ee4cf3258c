"""Cohere's Embed models by InvokeModel."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from gateway.openai.embeddings import EmbeddingsRequest, check_dimensions
from gateway.providers.bedrock.embedding_model import EmbeddingModel

_TEXTS_PER_REQUEST = 96
_V3_DIMENSIONS = (1024,)
_V4_DIMENSIONS = (256, 512, 1024, 1536)


class _ByType(Struct):
    float: list[Raw]


class _Answer(Struct):
    embeddings: list[Raw] | _ByType


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Answer).decode


def _check_v3(request: EmbeddingsRequest) -> None:
    check_dimensions(request, _V3_DIMENSIONS)


def _check_v4(request: EmbeddingsRequest) -> None:
    check_dimensions(request, _V4_DIMENSIONS)


def _write_v3(request: EmbeddingsRequest, texts: Sequence[str]) -> bytes:
    return _encode(_body(request, texts))


def _write_v4(request: EmbeddingsRequest, texts: Sequence[str]) -> bytes:
    body = _body(request, texts)
    if request.dimensions is not None:
        body["output_dimension"] = request.dimensions
    return _encode(body)


def _body(request: EmbeddingsRequest, texts: Sequence[str]) -> dict[str, object]:
    # Cohere insists on knowing; callers of OpenAI's API mostly fill an index.
    input_type = request.input_type or "search_document"
    return {"texts": texts, "input_type": input_type, "embedding_types": ["float"]}


def _read_body(body: bytes) -> tuple[Sequence[Raw], int | None]:
    embeddings = _decode(body).embeddings
    return embeddings.float if isinstance(embeddings, _ByType) else embeddings, None


V3 = EmbeddingModel(
    texts_per_request=_TEXTS_PER_REQUEST, check=_check_v3, write_body=_write_v3, read_body=_read_body
)
V4 = EmbeddingModel(
    texts_per_request=_TEXTS_PER_REQUEST, check=_check_v4, write_body=_write_v4, read_body=_read_body
)
