"""What a caller asks of a model, as far as the gateway itself has to know it."""

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import msgspec

from gateway.token_estimate import estimate

Operation = Literal["chat_completions", "embeddings", "responses", "messages", "count_tokens"]

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Call:
    """A request to a model whose body is a JSON object.

    body: as the caller sent it; providers that speak the same API pass its fields on.
    max_output_tokens: the limit the caller set, if any, on each of the answers that it asks for.
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
        answers: int = 1,
        include_usage: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.operation: Operation = operation
        self.model = model
        self.body = body
        self.stream = stream
        self.max_output_tokens = max_output_tokens
        self.answers = answers
        self.include_usage = include_usage
        self.headers: Mapping[str, str] = headers or {}

    @cached_property
    def fields(self) -> dict[str, msgspec.Raw]:
        """The body's fields, each as the JSON that stood there."""
        return _decode_fields(self.body)

    def with_body(self, body: bytes) -> "Call":
        """The same call with another body."""
        return Call(
            self.operation,
            self.model,
            body,
            stream=self.stream,
            max_output_tokens=self.max_output_tokens,
            answers=self.answers,
            include_usage=self.include_usage,
            headers=self.headers,
        )

    @cached_property
    def estimated_input_tokens(self) -> int:
        """A guess from the body, rather too high than too low."""
        return estimate(self.body)
