"""What callers are told when it is not clear who they are, or when they may not do what they ask for.

Every key that is not accepted gets the same answer, whether it is unknown, revoked, expired or mistyped.
"""

from gateway.callers import Caller
from gateway.errors import GatewayError, invalid_request

_TYPE = "invalid_request_error"
_FORBIDDEN = "permission_error"
_UNAVAILABLE_SECONDS = 5


def no_credentials() -> GatewayError:
    """A 401: there is neither a key nor a token."""
    return GatewayError(
        401,
        "There is no API key in the request; send it in the header 'authorization: Bearer <key>', "
        "'x-api-key: <key>' or 'api-key: <key>'.",
        type=_TYPE,
    )


def ambiguous_credentials() -> GatewayError:
    """A 400: the headers name several callers, perhaps."""
    message = "There are different API keys or tokens in the request's headers; send one."
    return invalid_request(message, param=None, code="ambiguous_credentials")


def invalid_api_key() -> GatewayError:
    """A 401: the key is nobody's."""
    return GatewayError(401, "The API key is not valid.", type=_TYPE, code="invalid_api_key")


def invalid_token(reason: str) -> GatewayError:
    """A 401: the token proves nothing. reason: for the log; it quotes nothing of the token."""
    return GatewayError(
        401,
        "The token is not valid here; sign in again, or ask the gateway's operators which issuer it accepts.",
        type=_TYPE,
        code="invalid_token",
        detail=reason,
    )


def expired_token() -> GatewayError:
    """A 401: the token was valid once."""
    message = "The token has expired; get a new one."
    return GatewayError(401, message, type=_TYPE, code="token_expired")


def too_many_failed_attempts(seconds: int) -> GatewayError:
    """A 429: too many invalid credentials from one address, and these are not known to be valid."""
    return GatewayError(
        429,
        f"Too many requests with invalid credentials came from your address; try again in {seconds} s.",
        type=_TYPE,
        code="too_many_failed_attempts",
        retry_after_seconds=seconds,
    )


def address_not_allowed() -> GatewayError:
    """A 403: the caller is known, and may not call from there."""
    return GatewayError(
        403,
        "These credentials may not be used from the address that the request comes from.",
        type=_FORBIDDEN,
        code="address_not_allowed",
    )


def directory_unavailable() -> GatewayError:
    """A 503: whether the credentials are valid, or what they allow, is not known now."""
    return GatewayError(
        503,
        "Credentials cannot be checked at the moment; try again soon.",
        type="api_error",
        code="directory_unavailable",
        retry_after_seconds=_UNAVAILABLE_SECONDS,
    )


def unreadable_record(reason: str) -> GatewayError:
    """A 503: what is stored about the caller makes no sense to this version of the gateway."""
    return GatewayError(
        503,
        "What these credentials allow cannot be read; the gateway's operators find the reason in its log.",
        type="api_error",
        code="directory_record_unreadable",
        detail=reason,
    )


def identity_provider_unavailable(seconds: int, reason: str) -> GatewayError:
    """A 503: the token's issuer does not say with which keys it signs."""
    return GatewayError(
        503,
        "The token cannot be checked at the moment, because its issuer cannot be reached; try again soon.",
        type="api_error",
        code="identity_provider_unavailable",
        retry_after_seconds=seconds,
        detail=reason,
    )


def client_without_project(issuer: str, client_id: str) -> GatewayError:
    """A 403: a machine that calls in nobody's name."""
    return GatewayError(
        403,
        f"The client {client_id[:128]!r} belongs to no project; the gateway's administrators have to add "
        f"{f'{issuer}#{client_id}'[:512]!r} to a project's clients.",
        type=_FORBIDDEN,
        code="client_without_project",
    )


def unknown_project(claim: str) -> GatewayError:
    """A 403: the token names a project that is not there."""
    return GatewayError(
        403,
        f"The project that the token names in its claim {claim!r} does not exist; the gateway's "
        "administrators have to create it, or the claim has to be mended.",
        type=_FORBIDDEN,
        code="unknown_project",
    )


def insufficient_scope(scope: str) -> GatewayError:
    """A 403: a machine's token was not asked for with the scope it needs."""
    return GatewayError(
        403,
        f"The token lacks the scope {scope!r}; ask the issuer for a token with it.",
        type=_FORBIDDEN,
        code="insufficient_scope",
    )


def model_not_allowed(caller: Caller, model: str) -> GatewayError:
    """A 403: the caller, its project or its roles have a list of models, and this is not on all of them."""
    return GatewayError(
        403,
        f"The model {model[:128]!r} may not be called by {caller.name[:128]!r}; GET /v1/models lists those "
        "that may, and the gateway's administrators can add it to the caller's key, project or roles.",
        type=_FORBIDDEN,
        code="model_not_allowed",
        param="model",
    )
