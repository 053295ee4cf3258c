"""The errors that several resources have in common."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from gateway.errors import GatewayError

_SHOWN_CHARACTERS = 140


def not_found(kind: str, id: str) -> GatewayError:
    """A 404 for an object that there is not."""
    hint = " A bootstrap key is in the secret that the gateway was started with, and changed there."
    return GatewayError(
        404,
        f"There is no {kind} {id[:_SHOWN_CHARACTERS]!r}.{hint if id.startswith('bootstrap:') else ''}",
        type="invalid_request_error",
        code=f"{kind}_not_found",
    )


def conflict(message: str, *, code: str, param: str | None = None) -> GatewayError:
    """A 409: the request is sound, but not for what there is now."""
    return GatewayError(409, message, type="invalid_request_error", code=code, param=param)


@contextmanager
def name_is_free(name: str) -> Iterator[None]:
    """Raise GatewayError 409 if what is written has a name that another one has."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        message = f"Another one has the name {name!r}; choose a different one."
        raise conflict(message, code="name_taken", param="name") from error


def storable(text: str) -> str:
    """Text that the database can look for; '' for what no object is called."""
    return "" if "\x00" in text else text
