"""What goes wrong in the gateway, as the OpenAI API tells it to a caller."""

import msgspec


class _ErrorBody(msgspec.Struct, frozen=True):
    message: str
    type: str
    param: str | None
    code: str | None


class _ErrorResponse(msgspec.Struct, frozen=True):
    error: _ErrorBody


_encode = msgspec.json.Encoder().encode


class GatewayError(Exception):
    """A request that ends in an OpenAI error.

    status: HTTP status for the caller. type, code, param: OpenAI's fields of the same names.
    retry_after_seconds: when the caller may try again, where known.
    detail: what the gateway's operators need to find the cause; for logs, never sent to a caller.
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

    def body(self) -> bytes:
        """The JSON body of the error response."""
        return _encode(_ErrorResponse(_ErrorBody(self.message, self.type, self.param, self.code)))


def invalid_request(message: str, *, param: str | None, code: str | None = None) -> GatewayError:
    """A 400: the caller has to change the request; param is the JSON path of the field at fault."""
    return GatewayError(400, message, type="invalid_request_error", param=param, code=code)


def provider_error(message: str, *, code: str, status: int = 502, detail: str | None = None) -> GatewayError:
    """A fault at the model's provider, or in how the gateway is set up there; the request may be right."""
    return GatewayError(status, message, type="api_error", code=code, detail=detail)
