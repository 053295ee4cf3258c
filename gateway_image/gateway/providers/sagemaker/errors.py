"""SageMaker's errors as errors for this gateway's callers."""

import re
from collections.abc import Mapping

import msgspec

from gateway.errors import GatewayError, invalid_request, provider_error
from gateway.providers.bedrock.converse_errors import error_from_exception
from gateway.providers.bedrock.converse_errors import error_from_response as aws_error_from_response
from gateway.providers.openai_compatible.errors import error_from_response as error_from_container
from gateway.providers.openai_compatible.errors import unreadable

_CONTAINER_FAILED = "ModelError"
_TOO_SLOW = "ModelInvocationTimeExceeded"
_INVALID = "ValidationError"
_TOO_LARGE = re.compile(r"oversize body|Value at 'body'")
# SageMaker's names for what the other AWS services call otherwise.
_AWS_NAMES = {
    _INVALID: "ResourceNotFoundException",
    "ServiceUnavailable": "ServiceUnavailableException",
    "ModelNotReadyException": "ModelNotReadyException",
}


class _ErrorBody(msgspec.Struct, rename="pascal"):
    message: str = ""
    original_status_code: int = 0
    original_message: str = ""
    error_code: str = ""


_decode = msgspec.json.Decoder(_ErrorBody).decode


def error_from_response(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """What to tell the caller of a response whose status is not 200; header names are in lower case.

    What the container answered counts as if it had been asked directly. SageMaker itself refuses requests
    only for their size and for what the catalog says: the rest of the body is the container's affair.
    """
    name = headers.get("x-amzn-errortype", "").partition(":")[0]
    error = _read(body)
    if name == _CONTAINER_FAILED or (not name and error.original_status_code):
        return error_from_container(error.original_status_code, headers, error.original_message.encode())
    if name == _INVALID and _TOO_LARGE.search(error.message):
        message = "The request is larger than the model's endpoint takes; make it smaller."
        return invalid_request(message, param=None, code="request_too_large")
    if name in _AWS_NAMES:
        return error_from_exception(_AWS_NAMES[name], error.message)
    return aws_error_from_response(status, headers, body)


def error_in_stream(name: str, payload: bytes) -> GatewayError:
    """What to tell the caller of an exception that ends a stream."""
    error = _read(payload)
    if error.error_code == _TOO_SLOW:
        message = "The model took too long to answer; try again, or ask for a shorter answer."
        return provider_error(message, code="upstream_timeout", status=504, detail=name)
    if not name:
        return unreadable("an exception without a name")
    message = "The connection to the model broke before its answer was complete; try again."
    detail = f"{name} {error.error_code}".rstrip()
    return provider_error(message, code="upstream_connection_lost", detail=detail)


def _read(body: bytes) -> _ErrorBody:
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _ErrorBody()
