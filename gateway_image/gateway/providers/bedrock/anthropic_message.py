"""Whole answers of Anthropic's Messages API from Bedrock, and what they say of tokens."""

import secrets
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.errors import GatewayError, provider_error
from gateway.providers import TokenCount, Usage, details


class _CacheCreation(msgspec.Struct):
    ephemeral_1h_input_tokens: TokenCount | None = None


class _OutputDetails(msgspec.Struct):
    thinking_tokens: TokenCount | None = None


class MessageUsage(msgspec.Struct):
    """Anthropic's count of tokens; in a stream it comes in parts, and what a part leaves out is unchanged."""

    input_tokens: TokenCount | None = None
    cache_creation_input_tokens: TokenCount | None = None
    cache_creation: Any = None
    cache_read_input_tokens: TokenCount | None = None
    output_tokens: TokenCount | None = None
    output_tokens_details: Any = None

    def over(self, earlier: Usage) -> Usage:
        """The usage so far, with what this part tells anew."""
        written = _latest(self.cache_creation_input_tokens, earlier.cache_write_tokens)
        output = _latest(self.output_tokens, earlier.output_tokens)
        creation = details(self.cache_creation, _CacheCreation) or _CacheCreation()
        said = details(self.output_tokens_details, _OutputDetails) or _OutputDetails()
        return Usage(
            input_tokens=_latest(self.input_tokens, earlier.input_tokens),
            output_tokens=output,
            cache_read_tokens=_latest(self.cache_read_input_tokens, earlier.cache_read_tokens),
            cache_write_tokens=written,
            cache_write_1h_tokens=min(
                _latest(creation.ephemeral_1h_input_tokens, earlier.cache_write_1h_tokens), written
            ),
            reasoning_tokens=min(_latest(said.thinking_tokens, earlier.reasoning_tokens), output),
        )


class _TokenCount(msgspec.Struct, rename="camel"):
    input_tokens: int


NONE_USED = msgspec.Raw(b'{"input_tokens":0,"output_tokens":0}')
# A guardrail's own words come in the place of an answer, without what clients expect beside them.
_BLOCKED_BY = "amazon-bedrock-guardrailAction"
_BLOCKED: Mapping[str, msgspec.Raw] = {
    "stop_reason": msgspec.Raw(b'"refusal"'),
    "stop_sequence": msgspec.Raw(b"null"),
    "usage": NONE_USED,
}
NO_USAGE = Usage()
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, KeyError, RecursionError)
"""What decoding an answer raises if it is not what the API promises."""

_encode = msgspec.json.Encoder().encode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_usage = msgspec.json.Decoder(MessageUsage).decode
_decode_count = msgspec.json.Decoder(_TokenCount).decode


def read_message(body: bytes, *, model: str) -> tuple[bytes, Usage]:
    """The caller's answer, with the model's name as the caller knows it, and its usage.

    Raises GatewayError 502 if it is no message.
    """
    try:
        message = _decode_fields(body)
        if bytes(message.get(_BLOCKED_BY, b"")) == b'"INTERVENED"':
            message = {"id": msgspec.Raw(_encode(_new_id())), **_BLOCKED, **message}
        return rename_model(message, model)
    except UNREADABLE as error:
        raise unreadable(f"an answer of InvokeModel: {error}") from error


def rename_model(message: dict[str, msgspec.Raw], model: str) -> tuple[bytes, Usage]:
    """A message's JSON under another model's name, and its usage; raises one of UNREADABLE."""
    usage = _decode_usage(message["usage"]).over(NO_USAGE)
    message["model"] = msgspec.Raw(_encode(model))
    return _encode(message), usage


def read_token_count(body: bytes) -> tuple[bytes, None]:
    """The answer to a call that counts tokens, which uses none; raises GatewayError 502."""
    try:
        count = _decode_count(body)
    except UNREADABLE as error:
        raise unreadable(f"an answer of CountTokens: {error}") from error
    return _encode({"input_tokens": count.input_tokens}), None


def unreadable(detail: str) -> GatewayError:
    """The error for an answer that is not what the API promises."""
    message = "The model's provider sent an answer that cannot be read."
    return provider_error(message, code="upstream_invalid_response", detail=detail)


def _latest(told: int | None, before: int) -> int:
    return before if told is None else told


def _new_id() -> str:
    return f"msg_{secrets.token_hex(12)}"
