"""Embeddings by Bedrock's InvokeModel: as many requests as the model needs for a caller's texts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import msgspec

from gateway.call import Call
from gateway.catalog import BedrockDeployment
from gateway.errors import GatewayError, provider_error
from gateway.openai.embeddings import (
    EmbeddingsRequest,
    EncodingFormat,
    decode_embeddings_request,
    read_texts,
    write_embeddings,
    write_items,
)
from gateway.providers import TokenCount, Usage
from gateway.providers.bedrock import cohere, nova, titan
from gateway.providers.bedrock.converse_errors import error_from_response
from gateway.providers.bedrock.embedding_model import EmbeddingModel
from gateway.providers.interface import UpstreamBatch, UpstreamPart

Sign = Callable[[bytes], tuple[str, Mapping[str, str]]]

_INPUT_TOKENS_HEADER = "x-amzn-bedrock-input-token-count"
_MODELS: Mapping[str, EmbeddingModel] = {
    "amazon.titan-embed-text-v2": titan.TEXT_V2,
    "amazon.nova-2-multimodal-embeddings-v1": nova.MULTIMODAL_V2,
    "cohere.embed-english-v3": cohere.V3,
    "cohere.embed-multilingual-v3": cohere.V3,
    "cohere.embed-v4": cohere.V4,
}


def embedding_model(deployment: BedrockDeployment) -> EmbeddingModel | None:
    """How the deployment's model is asked for embeddings; None if it makes none that this gateway knows."""
    return _MODELS.get(deployment.foundation_model.partition(":")[0])


def prepare_embeddings(
    model: EmbeddingModel, call: Call, sign: Sign, *, request_id_header: str
) -> UpstreamBatch:
    """The requests that embed a call's texts; raises GatewayError 400 naming what the model cannot do.

    sign makes the URL and the headers for a body.
    """
    request = decode_embeddings_request(call.body)
    texts = read_texts(request)
    model.check(request)
    return UpstreamBatch(
        parts=_parts(model, request, texts, sign),
        join=partial(write_embeddings, model=call.model),
        read_error=error_from_response,
        request_id_header=request_id_header,
    )


def _parts(
    model: EmbeddingModel, request: EmbeddingsRequest, texts: Sequence[str], sign: Sign
) -> Iterator[UpstreamPart]:
    size = model.texts_per_request
    for first in range(0, len(texts), size):
        body = model.write_body(request, texts[first : first + size])
        url, headers = sign(body)
        read = partial(
            _read_part,
            model,
            first_index=first,
            count=min(size, len(texts) - first),
            encoding=request.encoding_format,
        )
        yield UpstreamPart(url=url, headers=headers, body=body, read=read)


def _read_part(
    model: EmbeddingModel,
    headers: Mapping[str, str],
    body: bytes,
    *,
    first_index: int,
    count: int,
    encoding: EncodingFormat | None,
) -> tuple[bytes, Usage | None]:
    try:
        vectors, tokens = model.read_body(body)
        items = write_items(vectors, first_index, encoding)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(type(error).__name__, headers) from None
    if len(vectors) != count:
        raise _unreadable(f"{len(vectors)} embeddings for {count} texts", headers)
    if tokens is None:
        tokens = _told_by(headers)
    return items, _usage(tokens)


def _told_by(headers: Mapping[str, str]) -> int | None:
    try:
        return msgspec.convert(headers.get(_INPUT_TOKENS_HEADER), TokenCount | None, strict=False)
    except msgspec.ValidationError:
        return None


def _usage(tokens: int | None) -> Usage | None:
    return None if tokens is None else Usage(input_tokens=tokens)


def _unreadable(detail: str, headers: Mapping[str, str]) -> GatewayError:
    message = "The model's provider sent embeddings that cannot be read."
    error = provider_error(message, code="upstream_invalid_response", detail=detail)
    error.usage = _usage(_told_by(headers))
    return error
