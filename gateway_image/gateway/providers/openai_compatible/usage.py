"""The tokens of a request as OpenAI-compatible providers tell them."""

import msgspec
from msgspec import Struct

from gateway.providers import TokenCount, Usage


class _Details(Struct):
    cached_tokens: TokenCount | None = None
    cache_write_tokens: TokenCount | None = None


class _TokenUsage(Struct):
    """Chat completions and embeddings count the prompt and the completion, responses input and output."""

    prompt_tokens: TokenCount | None = None
    completion_tokens: TokenCount | None = None
    prompt_tokens_details: _Details | None = None
    input_tokens: TokenCount | None = None
    output_tokens: TokenCount | None = None
    input_tokens_details: _Details | None = None


def read_usage(told: object) -> Usage | None:
    """The usage in an answer; None if it is missing or malformed: the answer is good without it."""
    try:
        usage = msgspec.convert(told, _TokenUsage)
    except msgspec.ValidationError:
        return None
    # Cached tokens and those of reasoning are part of the counts.
    prompt = usage.prompt_tokens if usage.prompt_tokens is not None else usage.input_tokens
    output = usage.completion_tokens if usage.completion_tokens is not None else usage.output_tokens
    if prompt is None:
        return None
    details = usage.prompt_tokens_details or usage.input_tokens_details or _Details()
    cached = min(details.cached_tokens or 0, prompt)
    written = min(details.cache_write_tokens or 0, prompt - cached)
    return Usage(
        input_tokens=prompt - cached - written,
        output_tokens=output or 0,
        cache_read_tokens=cached,
        cache_write_tokens=written,
    )
