"""Why a gateway could not be reached."""

import ssl
from collections.abc import Iterator
from socket import EAI_NONAME, gaierror

from operations.text import clean


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def is_certificate_error(error: BaseException) -> bool:
    """Whether the one who answers could not show who it is."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def is_lasting(error: BaseException) -> bool:
    """Whether asking again is in vain: the name is unknown, or whoever answers is not who it should be."""
    return any(
        isinstance(cause, ssl.SSLError) or (isinstance(cause, gaierror) and cause.errno == EAI_NONAME)
        for cause in _causes(error)
    )


def reason_of(error: BaseException) -> str:
    """What went wrong, in a few words."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate does not hold ({cause.verify_message})"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    return clean(str(error)) or "no answer in time"
