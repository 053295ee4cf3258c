"""What stands behind the gateway's models. A provider's package translates to its API and back."""

from typing import Annotated

import msgspec
from msgspec import Meta

# A number of tokens in a provider's answer: one that can be added up, counted and shown.
TokenCount = Annotated[int, Meta(ge=0, le=2**53)]


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one request. The four counts are disjoint: no token is in two of them.

    input_tokens: read by the model and neither taken from nor written to a prompt cache.
    output_tokens: generated, reasoning included.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """All tokens of the prompt, cached or not: what OpenAI calls prompt_tokens."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens
