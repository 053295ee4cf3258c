"""What differs between the APIs in every answer: how errors, limits and the request's ID are told."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.admission.outcome import Allowances
from gateway.anthropic import errors as anthropic_errors
from gateway.anthropic import rate_limits as anthropic_rate_limits
from gateway.errors import GatewayError
from gateway.openai import rate_limits as openai_rate_limits
from gateway.openai.responses import error_event

WriteError = Callable[[GatewayError, str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiShape:
    """An API's way with what is not its answer's content.

    error_body, error_event: an error as a JSON body, and as the last event of a stream; both take the
    request's ID beside the error.
    allowance_headers: what is left of the caller's limits.
    request_id_header: where the API's clients look for the request's ID, besides x-request-id.
    """

    error_body: WriteError
    error_event: WriteError
    allowance_headers: Callable[[Allowances], list[tuple[bytes, bytes]]]
    request_id_header: bytes | None = None


def api_shape(path: str) -> ApiShape:
    """The shape of all answers at a path, also of those that come before its handler."""
    if path.startswith("/v1/messages"):
        return _ANTHROPIC
    return _RESPONSES if path == "/v1/responses" else _OPENAI


def _openai_error(error: GatewayError, _request_id: str) -> bytes:
    return error.body()


def _openai_error_event(error: GatewayError, _request_id: str) -> bytes:
    return b"data: " + error.body() + b"\n\n"


def _responses_error_event(error: GatewayError, _request_id: str) -> bytes:
    return error_event(error)


_OPENAI = ApiShape(
    error_body=_openai_error,
    error_event=_openai_error_event,
    allowance_headers=openai_rate_limits.allowance_headers,
)
_RESPONSES = replace(_OPENAI, error_event=_responses_error_event)
_ANTHROPIC = ApiShape(
    error_body=anthropic_errors.error_body,
    error_event=anthropic_errors.error_event,
    allowance_headers=anthropic_rate_limits.allowance_headers,
    request_id_header=b"request-id",
)
