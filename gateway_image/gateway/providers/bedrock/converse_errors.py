"""Bedrock's errors as errors of the OpenAI API.

Callers are told what they can act on: their request is wrong, it came too often, or it may be tried
again. What only the gateway's operators can mend (credentials, permissions, the model catalog) is
a 502 that says so, with Bedrock's words kept for the log: they name accounts and roles. What
Bedrock says about a request's content is for its caller only: it may quote the prompt.
"""

import math
import re
from collections.abc import Mapping

import msgspec

from gateway.errors import MODEL_FAILED, GatewayError, invalid_request, provider_error

_ERROR_TYPE_HEADER = "x-amzn-errortype"
# Said by what stands before the service, under several names.
_TOO_LARGE = 413

_CREDENTIAL_ERRORS = frozenset(
    {
        "ExpiredTokenException",
        "ExpiredToken",
        "IncompleteSignatureException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_ACCESS_ERRORS = frozenset({"AccessDeniedException", "AccessDenied", "NotAuthorized", "OptInRequired"})
_THROTTLING_ERRORS = frozenset(
    {"ThrottlingException", "TooManyRequestsException", "ServiceQuotaExceededException"}
)
# The second is what AWS says of values of a wrong kind, before the service looks at them.
_REQUEST_ERRORS = frozenset({"ValidationException", "SerializationException"})
_UNAVAILABLE_ERRORS = frozenset({"ServiceUnavailableException", "ModelNotReadyException"})
_MODEL_ERRORS = frozenset({"ModelErrorException", "ModelStreamErrorException"})

# Validation errors that no caller can mend: the catalog names a model that cannot be called this way. They
# are Bedrock's own sentences, whole: the same words within another message may be quoted from a prompt.
_CATALOG_PROBLEM = re.compile(
    r"(The provided model identifier is invalid"
    r"|Invocation of model ID \S+ with on-demand throughput isn.t supported"
    r"|Operation not allowed(?=\.?$)"
    r"|This model version has reached the end of its life)",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"(input|prompt) is too long|exceed\w* .*context|context (length|window)", re.IGNORECASE
)
_ARN_OR_ACCOUNT = re.compile(r"arn:aws[\w-]*:\S*[^\s.,;:'\"]|\b\d{12}\b")


class _ErrorBody(msgspec.Struct):
    message: str | None = None
    capital_message: str | None = msgspec.field(default=None, name="Message")
    type: str | None = msgspec.field(default=None, name="__type")


_decode = msgspec.json.Decoder(_ErrorBody).decode


def error_from_response(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """What to tell the caller of a response whose status is not 200; header names are in lower case."""
    try:
        error = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        error = _ErrorBody()
    error_type = headers.get(_ERROR_TYPE_HEADER) or error.type
    if not error_type or status == _TOO_LARGE:
        error_type = _type_for_status(status)
    message = error.message or error.capital_message or f"status {status}"
    return error_from_exception(error_type, message, retry_after_seconds=_retry_after(headers))


def error_from_exception(
    error_type: str, message: str, *, retry_after_seconds: int | None = None
) -> GatewayError:
    """What to tell the caller of a Bedrock error, by its type and message.

    The type may stand as in a header (`ThrottlingException:http://...`), in a body
    (`prefix#ThrottlingException`) or in a stream (`throttlingException`).
    """
    name = error_type.partition(":")[0].rpartition("#")[2]
    name = name[:1].upper() + name[1:]
    detail = f"{name}: {message}"
    if name in _REQUEST_ERRORS:
        return _validation_error(message)
    if name in _THROTTLING_ERRORS:
        return GatewayError(
            429,
            "The model has no capacity left for this gateway at the moment; try again later.",
            type="rate_limit_error",
            code="rate_limit_exceeded",
            retry_after_seconds=retry_after_seconds,
            detail=detail,
        )
    error = _provider_fault(name, detail)
    error.retry_after_seconds = retry_after_seconds
    return error


def _validation_error(message: str) -> GatewayError:
    if problem := _CATALOG_PROBLEM.match(message):
        return _misconfigured(
            "does not offer this model as it is configured here",
            "upstream_model_not_found",
            f"ValidationException: {problem[0]}",
        )
    code = "context_length_exceeded" if _TOO_LONG.search(message) else "invalid_request"
    told = f"The model refused the request: {_ARN_OR_ACCOUNT.sub('[hidden]', message)}"
    return invalid_request(told, param="messages" if code == "context_length_exceeded" else None, code=code)


def _provider_fault(name: str, detail: str) -> GatewayError:
    if name in _CREDENTIAL_ERRORS:
        return _misconfigured("did not accept the gateway's credentials", "upstream_credentials", detail)
    if name in _ACCESS_ERRORS:
        return _misconfigured("does not let the gateway use this model", "upstream_access_denied", detail)
    if name == "ResourceNotFoundException":
        return _misconfigured("does not have this model", "upstream_model_not_found", detail)
    if name == "ModelTimeoutException":
        message = "The model took too long to answer; try again, or ask for a shorter answer."
        return provider_error(message, code="upstream_timeout", status=504, detail=detail)
    if name in _UNAVAILABLE_ERRORS:
        message = "The model cannot be reached at its provider for the moment; try again."
        return provider_error(message, code="upstream_unavailable", status=503, detail=detail)
    if name in _MODEL_ERRORS:
        # A model's own words may quote the prompt.
        return provider_error("The model failed; try again.", code=MODEL_FAILED, detail=name)
    return provider_error("The model's provider failed; try again.", code="upstream_error", detail=name)


def _misconfigured(problem: str, code: str, detail: str) -> GatewayError:
    message = f"The model's provider {problem}. Your request is not at fault: tell the gateway's operators."
    return provider_error(message, code=code, detail=detail)


def _type_for_status(status: int) -> str:
    """The type of an error that does not say it, as from a proxy on the way."""
    if status in (400, 413, 422):
        return "ValidationException"
    return {
        401: "UnrecognizedClientException",
        403: "AccessDeniedException",
        404: "ResourceNotFoundException",
        408: "ModelTimeoutException",
        429: "ThrottlingException",
        503: "ServiceUnavailableException",
        504: "ModelTimeoutException",
    }.get(status, "InternalServerException")


def _retry_after(headers: Mapping[str, str]) -> int | None:
    """Seconds from a Retry-After header; None without one, or for a date, which AWS does not send."""
    try:
        seconds = math.ceil(float(headers.get("retry-after", "")))
    except (ValueError, OverflowError):
        return None
    return seconds if seconds >= 0 else None
