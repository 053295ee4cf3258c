"""Amazon Nova Multimodal Embeddings by InvokeModel, for texts."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw, Struct

from gateway.openai.embeddings import EmbeddingsRequest, InputType, check_dimensions
from gateway.providers.bedrock.embedding_model import EmbeddingModel

_DIMENSIONS = (256, 384, 1024, 3072)
_PURPOSES: Mapping[InputType, str] = {
    "search_document": "GENERIC_INDEX",
    "search_query": "GENERIC_RETRIEVAL",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}


class _Embedding(Struct):
    embedding: Raw


class _Answer(Struct):
    embeddings: list[_Embedding]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Answer).decode


def _check(request: EmbeddingsRequest) -> None:
    check_dimensions(request, _DIMENSIONS)


def _write_body(request: EmbeddingsRequest, texts: Sequence[str]) -> bytes:
    parameters: dict[str, object] = {
        "embeddingPurpose": _PURPOSES[request.input_type or "search_document"],
        # A text that is too long is an error, as at OpenAI, not an embedding of a part of it.
        "text": {"truncationMode": "NONE", "value": texts[0]},
    }
    if request.dimensions is not None:
        parameters["embeddingDimension"] = request.dimensions
    return _encode({"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": parameters})


def _read_body(body: bytes) -> tuple[Sequence[Raw], int | None]:
    return [item.embedding for item in _decode(body).embeddings], None


MULTIMODAL_V2 = EmbeddingModel(
    texts_per_request=1, check=_check, write_body=_write_body, read_body=_read_body
)
