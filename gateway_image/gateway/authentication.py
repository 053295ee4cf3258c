"""Who is calling: the API key of a request, in whichever header the clients of the APIs send it."""

from collections.abc import Iterator

from gateway.api_keys import ApiKeys, Caller
from gateway.errors import GatewayError, invalid_request
from gateway.request import Request

# Anthropic's clients send the first; Azure's and DIAL's the second.
_KEY_HEADERS = (b"x-api-key", b"api-key")


def authenticate(request: Request, keys: ApiKeys) -> Caller:
    """Return the caller of a request and name it in the request's record.

    Raises GatewayError 401 if there is no key or if it is nobody's, 400 if there are several.
    """
    given = set(_keys(request))
    if not given:
        raise GatewayError(
            401,
            "There is no API key in the request; send it in the header 'authorization: Bearer <key>', "
            "'x-api-key: <key>' or 'api-key: <key>'.",
            type="invalid_request_error",
        )
    if len(given) > 1:
        message = "There are different API keys in the request's headers; send one."
        raise invalid_request(message, param=None, code="ambiguous_api_key")
    caller = keys.caller(given.pop())
    if caller is None:
        raise GatewayError(
            401, "The API key is not valid.", type="invalid_request_error", code="invalid_api_key"
        )
    request.record.caller = caller.name
    return caller


def _keys(request: Request) -> Iterator[str]:
    scheme, _, token = (request.header(b"authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and (token := token.strip()):
        yield token
    for name in _KEY_HEADERS:
        if key := (request.header(name) or "").strip():
            yield key
