"""Answers of OpenAI-compatible providers that come in one piece: looked into, and passed on."""

from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from gateway.errors import GatewayError
from gateway.providers import Usage
from gateway.providers.openai_compatible.errors import error_in_stream, unreadable
from gateway.providers.openai_compatible.model_name import rename_model
from gateway.providers.openai_compatible.usage import read_usage


class _Answer(Struct):
    model: str | None = None
    usage: Any = None
    error: Any = None


class _ChatCompletion(_Answer, kw_only=True):
    choices: list[Raw]


class _Embeddings(_Answer, kw_only=True):
    data: list[Raw]


class _Response(_Answer, kw_only=True):
    output: list[Raw]


AnswerT = TypeVar("AnswerT", bound=_Answer)

_decode_chat_completion = msgspec.json.Decoder(_ChatCompletion)
_decode_embeddings = msgspec.json.Decoder(_Embeddings)
_decode_response = msgspec.json.Decoder(_Response)
_decode_answer = msgspec.json.Decoder(_Answer).decode


def read_chat_completion(body: bytes, *, model: str) -> tuple[bytes, Usage | None]:
    """A chat completion with the caller's name for the model, and its usage; raises GatewayError."""
    return _read(_decode_chat_completion, body, model)


def read_embeddings(body: bytes, *, model: str) -> tuple[bytes, Usage | None]:
    """Embeddings with the caller's name for the model, and their usage; raises GatewayError."""
    return _read(_decode_embeddings, body, model)


def read_response(body: bytes, *, model: str) -> tuple[bytes, Usage | None]:
    """A response with the caller's name for the model, and its usage; raises GatewayError."""
    return _read(_decode_response, body, model)


def _read(decoder: msgspec.json.Decoder[AnswerT], body: bytes, model: str) -> tuple[bytes, Usage | None]:
    try:
        answer = decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _error_instead(body, type(error).__name__) from None
    if answer.error is not None:
        raise _thrown_away(error_in_stream(body), answer)
    return rename_model(body, answer.model, model), read_usage(answer.usage)


def _error_instead(body: bytes, reason: str) -> GatewayError:
    """The error that some providers send with status 200, or the one for an answer that makes no sense."""
    nonsense = unreadable(f"{len(body)} bytes: {reason}")
    try:
        answer = _decode_answer(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return nonsense
    return _thrown_away(nonsense if answer.error is None else error_in_stream(body), answer)


def _thrown_away(error: GatewayError, answer: _Answer) -> GatewayError:
    """The error in the place of an answer, with the tokens that were paid for all the same."""
    error.usage = read_usage(answer.usage)
    return error
