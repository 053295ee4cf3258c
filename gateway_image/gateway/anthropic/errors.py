"""Errors as Anthropic's API tells them, whole or as the last event of a stream."""

import msgspec

from gateway.errors import GatewayError


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong, by Anthropic's name for it."""

    type: str
    message: str


class ErrorResponse(msgspec.Struct, frozen=True, tag="error", tag_field="type"):
    """The body of every answer that is an error, in Anthropic's shape."""

    error: ErrorBody
    request_id: str


_encode = msgspec.json.Encoder().encode

_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_body(error: GatewayError, request_id: str) -> bytes:
    """The JSON body of the error response."""
    return _encode(ErrorResponse(ErrorBody(_type(error), _message(error)), request_id))


def error_event(error: GatewayError, request_id: str) -> bytes:
    """The event that ends a stream with the error."""
    return b"event: error\ndata: " + error_body(error, request_id) + b"\n\n"


def _type(error: GatewayError) -> str:
    if error.code == "upstream_unavailable":
        return "overloaded_error"
    return _TYPES.get(error.status) or ("invalid_request_error" if error.status < 500 else "api_error")


def _message(error: GatewayError) -> str:
    # Clients that shorten a conversation when it no longer fits know it by these words of Anthropic's.
    if error.code == "context_length_exceeded" and "prompt is too long" not in error.message:
        return f"prompt is too long: {error.message}"
    return error.message
