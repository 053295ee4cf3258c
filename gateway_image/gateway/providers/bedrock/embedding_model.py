"""What is different between Bedrock's embedding models."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec import Raw

from gateway.openai.embeddings import EmbeddingsRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingModel:
    """How a model is asked for embeddings by InvokeModel.

    texts_per_request: how many texts one request may hold.
    check: raises GatewayError 400 for what the model cannot do.
    write_body: the body that embeds so many texts.
    read_body: the vectors in an answer, as JSON, in the order of the texts, and the tokens if it tells them;
    raises msgspec's errors.
    """

    texts_per_request: int
    check: Callable[[EmbeddingsRequest], None]
    write_body: Callable[[EmbeddingsRequest, Sequence[str]], bytes]
    read_body: Callable[[bytes], tuple[Sequence[Raw], int | None]]
