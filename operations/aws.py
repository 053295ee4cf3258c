"""AWS as the commands ask it, with the credentials of the shell."""

from __future__ import annotations

from typing import NoReturn

from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from operations.errors import RefusedError, UnreachableError
from operations.text import clean

CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 3, "mode": "standard"})
_SIGNED_OUT = (NoCredentialsError, CredentialRetrievalError, SSOError, TokenRetrievalError)
_SIGNED_OUT_CODES = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
}


def is_signed_out(error: Exception) -> bool:
    """Whether AWS takes no credentials of this shell, or there are none."""
    return isinstance(error, _SIGNED_OUT) or code_of(error) in _SIGNED_OUT_CODES


def code_of(error: Exception) -> str:
    """AWS's word for why it refused; empty for what never reached it."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""


def refuse(error: Exception) -> NoReturn:
    """Raise RefusedError for what AWS said, UnreachableError for what never reached it."""
    if isinstance(error, ClientError):
        said = error.response["Error"]
        raise RefusedError(
            clean(f"AWS refused {error.operation_name}: {said['Code']}: {said.get('Message', '')}"),
            status=error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0),
            code=said["Code"],
        ) from None
    raise UnreachableError(clean(f"AWS cannot be asked: {error}")) from None
