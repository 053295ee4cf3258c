"""OpenAI's embeddings: decodes requests and writes answers."""

import sys
from array import array
from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.decoding import RequestDecoder
from gateway.errors import invalid_request
from gateway.providers import Usage

_API = "embeddings"
_MOST_INPUTS = 2048

InputType = Literal["search_document", "search_query", "classification", "clustering"]
EncodingFormat = Literal["float", "base64"]


class EmbeddingsEnvelope(Struct):
    """What the gateway itself has to know of a request."""

    model: str | None = None


class EmbeddingsRequest(Struct, forbid_unknown_fields=True):
    """The body of a request, as OpenAI's API reference defines it, with the texts to embed.

    input_type is a widely sent addition: what the embeddings are for, to models that make a difference.
    """

    input: Raw
    model: str | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    encoding_format: EncodingFormat | None = None
    input_type: InputType | None = None
    # For OpenAI's own records; without effect on the answer.
    user: str | None = None


_decode_envelope = RequestDecoder(EmbeddingsEnvelope, _API)

# The whole request, for providers that have to understand all of it; raises GatewayError 400 naming the field
# at fault, also for fields that embeddings do not have.
decode_embeddings_request = RequestDecoder(EmbeddingsRequest, _API)

_decode_texts = msgspec.json.Decoder(str | list[str]).decode
_decode_vector = msgspec.json.Decoder(list[float]).decode
_encode = msgspec.json.Encoder().encode


def model_of(body: bytes, *, model_in_path: str | None) -> str:
    """The model that a request is for; the one that the URL's path names goes before the body's.

    Raises GatewayError 400 naming the field at fault.
    """
    envelope = _decode_envelope(body)
    model = model_in_path or envelope.model
    if not model:
        raise invalid_request("model is required.", param="model", code="missing_required_parameter")
    return model


def read_texts(request: EmbeddingsRequest) -> list[str]:
    """The texts to embed; raises GatewayError 400 for anything else, such as tokens."""
    try:
        texts: str | list[str] = _decode_texts(request.input)
    except msgspec.ValidationError:
        message = (
            "input must be a text or a list of texts: this model does not take tokens. "
            "LangChain's OpenAIEmbeddings sends texts with check_embedding_ctx_length=False."
        )
        raise invalid_request(message, param="input", code="invalid_value") from None
    if isinstance(texts, str):
        texts = [texts]
    if not 1 <= len(texts) <= _MOST_INPUTS:
        message = f"input has {len(texts)} texts; allowed: 1 to {_MOST_INPUTS}."
        raise invalid_request(message, param="input", code="invalid_value")
    if "" in texts:
        place = "input" if len(texts) == 1 else f"input[{texts.index('')}]"
        raise invalid_request(f"{place} is an empty text; leave it out.", param="input", code="invalid_value")
    return texts


def check_dimensions(request: EmbeddingsRequest, allowed: Sequence[int]) -> None:
    """Raise GatewayError 400 unless the dimensions, if any are asked for, are among the model's."""
    if request.dimensions is not None and request.dimensions not in allowed:
        choices = ", ".join(map(str, allowed))
        message = f"dimensions is {request.dimensions}; allowed for this model: {choices}."
        raise invalid_request(message, param="dimensions", code="invalid_value")


def refuse_input_type(request: EmbeddingsRequest) -> None:
    """Raise GatewayError 400 if a request says what embeddings are for to a model that does not care."""
    if request.input_type is not None:
        message = "input_type is not supported by this model; leave it out."
        raise invalid_request(message, param="input_type", code="unsupported_parameter")


def write_items(vectors: Sequence[Raw], first_index: int, encoding: EncodingFormat | None) -> bytes:
    """The JSON of embeddings, without the brackets of their list.

    Raises msgspec's errors for base64 of what is no vector.
    """
    return b",".join(
        b'{"object":"embedding","index":%d,"embedding":%b}'
        % (index, _base64(vector) if encoding == "base64" else bytes(vector))
        for index, vector in enumerate(vectors, start=first_index)
    )


def write_embeddings(items: Sequence[bytes], usage: Usage, *, model: str) -> bytes:
    """The response's body."""
    return b'{"object":"list","data":[%b],"model":%b,"usage":{"prompt_tokens":%d,"total_tokens":%d}}' % (
        b",".join(items),
        _encode(model),
        usage.prompt_tokens,
        usage.prompt_tokens,
    )


def _base64(vector: Raw) -> bytes:
    """A vector as the OpenAI SDKs ask for it by default: base64 of little-endian 32-bit floats."""
    floats = array("f", _decode_vector(vector))
    if sys.byteorder == "big":
        floats.byteswap()
    return b'"' + b64encode(floats.tobytes()) + b'"'
