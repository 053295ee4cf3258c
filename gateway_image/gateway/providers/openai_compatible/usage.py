"""The tokens of a request as OpenAI-compatible providers tell them."""

from typing import Any

from msgspec import Struct

from gateway.providers import TokenCount, Usage, details


class _CacheWrites(Struct):
    ttl_12h_tokens: TokenCount | None = None


class _PromptDetails(Struct):
    cached_tokens: TokenCount | None = None
    cache_write_tokens: TokenCount | None = None
    cache_write_tokens_details: Any = None


class _OutputDetails(Struct):
    reasoning_tokens: TokenCount | None = None


class _TokenUsage(Struct):
    """Chat completions and embeddings count the prompt and the completion, responses input and output."""

    prompt_tokens: TokenCount | None = None
    completion_tokens: TokenCount | None = None
    prompt_tokens_details: Any = None
    completion_tokens_details: Any = None
    input_tokens: TokenCount | None = None
    output_tokens: TokenCount | None = None
    input_tokens_details: Any = None
    output_tokens_details: Any = None
    total_tokens: Any = None


def read_usage(told: object) -> Usage | None:
    """The usage in an answer; None if it is missing or malformed: the answer is good without it."""
    usage = details(told, _TokenUsage)
    if usage is None:
        return None
    # Cached tokens and those of reasoning are part of the counts.
    prompt = usage.prompt_tokens if usage.prompt_tokens is not None else usage.input_tokens
    output = usage.completion_tokens if usage.completion_tokens is not None else usage.output_tokens
    if prompt is None:
        return None
    # Gemini and xAI leave reasoning out of the completion, and count it in the total alone.
    total = details(usage.total_tokens, TokenCount) or 0
    output = max(output or 0, total - prompt)
    read = details(usage.prompt_tokens_details or usage.input_tokens_details, _PromptDetails)
    read = read or _PromptDetails()
    cached = min(read.cached_tokens or 0, prompt)
    written = min(read.cache_write_tokens or 0, prompt - cached)
    writes = details(read.cache_write_tokens_details, _CacheWrites) or _CacheWrites()
    said = details(usage.completion_tokens_details or usage.output_tokens_details, _OutputDetails)
    reasoning = said.reasoning_tokens if said else None
    return Usage(
        input_tokens=prompt - cached - written,
        output_tokens=output,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        cache_write_1h_tokens=min(writes.ttl_12h_tokens or 0, written),
        reasoning_tokens=min(reasoning or 0, output),
    )
