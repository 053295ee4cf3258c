"""What goes wrong in the gateway, as the OpenAI API tells it to a caller."""

import msgspec

from gateway.providers import Usage


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong; param is the JSON path of the field at fault."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorResponse(msgspec.Struct, frozen=True):
    """The body of every answer that is an error, in OpenAI's shape."""

    error: ErrorBody


_encode = msgspec.json.Encoder().encode

# The code of an error in what the model made of one request, not in the service that runs it.
MODEL_FAILED = "upstream_model_error"

_OPERATORS_CODES = frozenset({"upstream_access_denied", "upstream_credentials", "upstream_model_not_found"})


class GatewayError(Exception):
    """A request that ends in an OpenAI error.

    status: HTTP status for the caller. type, code, param: OpenAI's fields of the same names.
    retry_after_seconds: when the caller may try again, where known.
    detail: what the gateway's operators need to find the cause; for logs, never sent to a caller.
    usage: the tokens of an answer that was thrown away, set by whoever throws it away.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str,
        code: str | None = None,
        param: str | None = None,
        retry_after_seconds: int | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param
        self.retry_after_seconds = retry_after_seconds
        self.detail = detail
        self.usage: Usage | None = None

    @property
    def is_for_operators(self) -> bool:
        """Whether only the gateway's operators can mend what went wrong, so that asking again is in vain."""
        return self.code in _OPERATORS_CODES

    @property
    def is_final(self) -> bool:
        """Whether asking again is in vain, whatever the status says."""
        return self.is_for_operators

    def body(self) -> bytes:
        """The JSON body of the error response."""
        return _encode(ErrorResponse(ErrorBody(self.message, self.type, self.param, self.code)))


def invalid_request(message: str, *, param: str | None, code: str | None = None) -> GatewayError:
    """A 400: the caller has to change the request; param is the JSON path of the field at fault."""
    return GatewayError(400, message, type="invalid_request_error", param=param, code=code)


def provider_error(message: str, *, code: str, status: int = 502, detail: str | None = None) -> GatewayError:
    """A fault at the model's provider, or in how the gateway is set up there; the request may be right."""
    return GatewayError(status, message, type="api_error", code=code, detail=detail)
