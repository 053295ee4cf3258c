"""Errors of OpenAI-compatible providers as errors for this gateway's callers.

Callers are told what they can act on. What only the gateway's operators can mend (keys, permissions, the
model catalog) is a 502 that says so, with the provider's words kept for the log. What a provider says about a
request's content is for its caller only: it may quote the prompt.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from gateway.errors import GatewayError, provider_error
from gateway.providers.openai_compatible.retry_after import retry_after_seconds

_MOST_CHARACTERS = 2000
_MOST_DETAIL_CHARACTERS = 300
# Keys, and who the gateway is to its provider: nothing that its callers should know.
_SECRET = re.compile(
    r"(?i:bearer\s+)[^\s\"',]+|\bsk-[\w*.-]{6,}|\b(?:key|org|proj|user|acct)[-_](?=[\w*.-]*\d)[\w*.-]{8,}"
    r"|arn:aws[\w-]*:\S+|\b\d{12}\b"
)
_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_CALLERS_FAULTS = frozenset({400, 413, 422})
_THROTTLED_TYPES = frozenset(
    {"rate_limit_exceeded", "rate_limit_error", "too_many_requests", "tokens", "requests"}
)
_OUT_OF_CREDIT = "insufficient_quota"
# How Gemini and xAI say with status 400 what others say with 401. Only at the beginning: further on the same
# words may be quoted from a prompt.
_KEY_REFUSED = re.compile(r"(API key not valid|Incorrect API key provided)", re.IGNORECASE)


class ProviderMessage(NamedTuple):
    """What a provider's error says, as far as it says it."""

    message: str | None = None
    type: str | None = None
    code: str | None = None
    param: str | None = None

    def names(self) -> str:
        """Its type and code, for the log."""
        return " ".join(dict.fromkeys(part for part in (self.type, self.code) if part)) or "no type"


def error_from_response(
    status: int, headers: Mapping[str, str], body: bytes, *, key: str | None = None
) -> GatewayError:
    """What to tell the caller of a response whose status is not 200; header names are in lower case.

    key is the provider's API key, which must not be shown if the provider repeats it.
    """
    told = read_message(body, key=key)
    if status == 400 and told.message is not None and _KEY_REFUSED.match(told.message):
        status = 401
    if status in _CALLERS_FAULTS:
        return _callers_fault(status, told)
    error = _by_status(status, told)
    if error.status == 429 or error.status >= 500:
        error.retry_after_seconds = retry_after_seconds(headers)
    return error


def error_in_stream(raw: bytes) -> GatewayError:
    """What to tell the caller of an error that a provider sends with status 200, in a stream or as a body."""
    told = read_message(raw)
    code = told.code or ""
    if code.isdecimal() and 400 <= int(code) <= 599:
        return error_from_response(int(code), {}, raw)
    kinds = {told.type, told.code}
    if kinds & _THROTTLED_TYPES or _OUT_OF_CREDIT in kinds:
        return _by_status(429, told)
    if told.type == "invalid_request_error":
        return _callers_fault(400, told)
    return _by_status(500, told)


def unreadable(detail: str) -> GatewayError:
    """The error for an answer that is not what the API defines; detail never quotes the answer."""
    message = "The model's provider sent an answer that cannot be read."
    return provider_error(message, code="upstream_invalid_response", detail=detail)


def connection_lost() -> GatewayError:
    """The error for a stream that ends before its proper end."""
    message = "The connection to the model broke before its answer was complete; try again."
    return provider_error(message, code="upstream_connection_lost")


def read_message(body: bytes, *, key: str | None = None) -> ProviderMessage:
    """The error in a body of any form in use: OpenAI's, or with its parts at the top, or only a text."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ProviderMessage()
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return ProviderMessage()
    error = document.get("error", document)
    if isinstance(error, str):
        return ProviderMessage(_clean(error, key))
    if not isinstance(error, dict):
        return ProviderMessage()
    message = _text(error, "message", "detail")
    return ProviderMessage(
        None if message is None else _clean(message, key),
        _name(error, "type", "status"),
        _name(error, "code"),
        _text(error, "param"),
    )


def _text(error: Mapping[str, Any], *names: str) -> str | None:
    for name in names:
        value = error.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)[:_MOST_CHARACTERS]
        if isinstance(value, list | dict):
            return msgspec.json.encode(value).decode()[:_MOST_CHARACTERS]
    return None


def _name(error: Mapping[str, Any], *names: str) -> str | None:
    """A type or a code; they go into the log, the ledger and the metrics: names, and no words of a prompt."""
    text = _text(error, *names)
    return text if text is not None and _NAME.fullmatch(text) else None


def _clean(text: str, key: str | None) -> str:
    return _SECRET.sub("[hidden]", text.replace(key, "[hidden]") if key else text)


def _callers_fault(status: int, told: ProviderMessage) -> GatewayError:
    code = told.code if told.code and not told.code.isdecimal() else "invalid_request"
    return GatewayError(
        status,
        f"The model's provider refused the request: {told.message or f'status {status}'}",
        type="invalid_request_error",
        code=code,
        param=told.param,
    )


def _by_status(status: int, told: ProviderMessage) -> GatewayError:
    detail = f"status {status}: {told.names()}"
    if _OUT_OF_CREDIT in (told.type, told.code):
        return _misconfigured("has no credit left for the gateway", "upstream_access_denied", detail)
    # What is refused before it reaches the model cannot be told with words of the prompt.
    explained = f"{detail}: {(told.message or '')[:_MOST_DETAIL_CHARACTERS]}"
    match status:
        case 401:
            return _misconfigured("did not accept the gateway's API key", "upstream_credentials", explained)
        case 402 | 403:
            return _misconfigured(
                "does not let the gateway use this model", "upstream_access_denied", explained
            )
        case 404 | 405 | 410:
            return _misconfigured("does not have this model", "upstream_model_not_found", explained)
        case 429:
            return GatewayError(
                429,
                "The model has no capacity left for this gateway at the moment; try again later.",
                type="rate_limit_error",
                code="rate_limit_exceeded",
                detail=detail,
            )
        case 408 | 504:
            message = "The model took too long to answer; try again, or ask for a shorter answer."
            return provider_error(message, code="upstream_timeout", status=504, detail=detail)
        case 503 | 529:
            message = "The model cannot be reached at its provider for the moment; try again."
            return provider_error(message, code="upstream_unavailable", status=503, detail=detail)
        case _:
            message = "The model's provider failed; try again."
            return provider_error(message, code="upstream_error", detail=detail)


def _misconfigured(problem: str, code: str, detail: str) -> GatewayError:
    message = f"The model's provider {problem}. Your request is not at fault: tell the gateway's operators."
    return provider_error(message, code=code, detail=detail)
