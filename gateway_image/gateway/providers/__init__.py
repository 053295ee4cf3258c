"""What stands behind the gateway's models. A provider's package translates to its API and back."""

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

# A number of tokens in a provider's answer: one that can be added up, counted and shown.
TokenCount = Annotated[int, Meta(ge=0, le=2**53)]


DetailsT = TypeVar("DetailsT")


def details(told: object, kind: type[DetailsT]) -> DetailsT | None:
    """What a provider tells beside its counts, decoded; None if it is not of the form that is expected.

    Answers and counts are good without it, whatever providers make of it.
    """
    try:
        return msgspec.convert(told, kind)
    except msgspec.ValidationError:
        return None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one request. The first four counts are disjoint: no token is in two of them.

    input_tokens: read by the model and neither taken from nor written to a prompt cache.
    output_tokens: generated, reasoning included.
    cache_write_1h_tokens: those of cache_write_tokens that are kept for an hour or longer, which costs more.
    reasoning_tokens: those of output_tokens that are reasoning, as far as the provider tells them apart.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """The tokens of both, as of several attempts at one call."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            cache_write_1h_tokens=self.cache_write_1h_tokens + other.cache_write_1h_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )

    @property
    def prompt_tokens(self) -> int:
        """All tokens of the prompt, cached or not: what OpenAI calls prompt_tokens."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens
