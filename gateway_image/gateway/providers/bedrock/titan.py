"""Amazon Titan Text Embeddings V2 by InvokeModel."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from gateway.openai.embeddings import EmbeddingsRequest, check_dimensions, refuse_input_type
from gateway.providers import TokenCount
from gateway.providers.bedrock.embedding_model import EmbeddingModel

_DIMENSIONS = (256, 512, 1024)


class _Answer(Struct, rename="camel"):
    embedding: Raw
    input_text_token_count: TokenCount


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Answer).decode


def _check(request: EmbeddingsRequest) -> None:
    check_dimensions(request, _DIMENSIONS)
    refuse_input_type(request)


def _write_body(request: EmbeddingsRequest, texts: Sequence[str]) -> bytes:
    body: dict[str, object] = {"inputText": texts[0]}
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    return _encode(body)


def _read_body(body: bytes) -> tuple[Sequence[Raw], int | None]:
    answer = _decode(body)
    return [answer.embedding], answer.input_text_token_count


TEXT_V2 = EmbeddingModel(texts_per_request=1, check=_check, write_body=_write_body, read_body=_read_body)
