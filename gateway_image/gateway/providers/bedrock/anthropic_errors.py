"""Bedrock's errors that mean something of their own to callers of Anthropic's API."""

from collections.abc import Mapping, Sequence

from gateway.errors import GatewayError, invalid_request
from gateway.providers.bedrock.converse_errors import error_from_response

_INVALID_BETA = "invalid beta flag"
_CANNOT_COUNT = "doesn't support counting tokens"


def message_error(
    status: int, headers: Mapping[str, str], body: bytes, *, betas: Sequence[str]
) -> GatewayError:
    """What to tell the caller of InvokeModel's error; betas are the flags that were sent."""
    error = error_from_response(status, headers, body)
    if error.status == 400 and _INVALID_BETA in error.message:
        # Bedrock does not say which one it was; which ones a model knows differs from model to model.
        message = (
            f"The model does not know every one of the beta flags {', '.join(betas)}; "
            "leave out of anthropic-beta those that you do not need."
        )
        return invalid_request(message, param="anthropic_beta", code="invalid_beta_flag")
    return error


def count_error(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """What to tell the caller of CountTokens' error."""
    error = error_from_response(status, headers, body)
    if error.status == 400 and _CANNOT_COUNT in error.message:
        # Clients that find nothing at this address count for themselves.
        return GatewayError(
            404,
            "Bedrock does not count tokens for this model; estimate them, or read the usage of an answer.",
            type="invalid_request_error",
            code="operation_not_supported",
            param="model",
        )
    return error
