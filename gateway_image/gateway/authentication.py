"""Who is calling: the API key of a request, as OpenAI's clients send it."""

from gateway.api_keys import ApiKeys
from gateway.errors import GatewayError
from gateway.request import Request


def authenticate(request: Request, keys: ApiKeys) -> None:
    """Find the caller of a request and name it in the request's record.

    Raises GatewayError 401 if there is no key or if it is nobody's.
    """
    scheme, _, key = (request.header(b"authorization") or "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise GatewayError(
            401,
            "There is no API key in the request; send it in the header 'authorization: Bearer <key>'.",
            type="invalid_request_error",
        )
    caller = keys.caller(key)
    if caller is None:
        raise GatewayError(
            401, "The API key is not valid.", type="invalid_request_error", code="invalid_api_key"
        )
    request.record.caller = caller
