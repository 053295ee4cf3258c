"""What a caller asks of a model, as far as the gateway itself has to know it."""

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import msgspec

Operation = Literal["chat_completions", "embeddings", "responses", "messages", "count_tokens"]

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
# A token of English is about four bytes; other languages and code take fewer bytes a token.
_BYTES_PER_TOKEN = 3


class Call:
    """A request to a model whose body is a JSON object.

    body: as the caller sent it; providers that speak the same API pass its fields on.
    max_output_tokens: the limit the caller set, if any.
    include_usage: whether a streamed answer is to end with its usage, where callers may choose that.
    headers: those of the caller's headers that a provider may act on, by lower-case name.
    """

    def __init__(
        self,
        operation: Operation,
        model: str,
        body: bytes,
        *,
        stream: bool = False,
        max_output_tokens: int | None = None,
        include_usage: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.operation: Operation = operation
        self.model = model
        self.body = body
        self.stream = stream
        self.max_output_tokens = max_output_tokens
        self.include_usage = include_usage
        self.headers: Mapping[str, str] = headers or {}

    @cached_property
    def fields(self) -> dict[str, msgspec.Raw]:
        """The body's fields, each as the JSON that stood there."""
        return _decode_fields(self.body)

    @property
    def estimated_input_tokens(self) -> int:
        """A guess from the body's size, rather too high than too low."""
        return len(self.body) // _BYTES_PER_TOKEN + 1
