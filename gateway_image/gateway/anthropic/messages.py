"""What the gateway itself has to know of a request to the Messages API; all else is the model's to judge."""

from typing import Annotated

from msgspec import Meta, Struct

from gateway.decoding import RequestDecoder


class MessagesEnvelope(Struct):
    """A request for an answer. Fields that are not named here are passed on as they stand."""

    model: str
    max_tokens: Annotated[int, Meta(ge=0)]
    stream: bool | None = None


class CountTokensEnvelope(Struct):
    """A request to count the tokens of a prompt."""

    model: str


decode_messages_envelope = RequestDecoder(MessagesEnvelope, "Anthropic's Messages API")
decode_count_tokens_envelope = RequestDecoder(CountTokensEnvelope, "Anthropic's token counting")
