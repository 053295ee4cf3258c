"""Entity tags: what a caller saw of an object, so that a change made meanwhile is noticed (RFC 9110, 13)."""

import re

from gateway.errors import GatewayError
from gateway.request import Request

_TAG = re.compile(r'(?:W/)?"[^"]*"')


def etag(version: int, *parts: object) -> str:
    """The strong tag of an object: the version of its row, and what else its answer depends on."""
    return f'"{"-".join(map(str, (version, *parts)))}"'


def check_if_match(request: Request, current: str) -> None:
    """Raise GatewayError 412 if the request is for another state of the object than the current one."""
    wanted = request.header(b"if-match")
    if wanted is not None and wanted.strip() != "*" and current not in _TAG.findall(wanted):
        raise _changed(
            f"The object is at {current} now, not at what if-match names: someone has changed it. "
            "Read it again, and send the change with the new ETag."
        )


def check_not_there(request: Request, *, is_there: bool) -> None:
    """Raise GatewayError 412 if the request must find nothing (`if-none-match: *`), or something."""
    if is_there and (request.header(b"if-none-match") or "").strip() == "*":
        raise _changed("The object exists, and if-none-match: * asks for it not to; leave the header out.")
    if not is_there and request.header(b"if-match") is not None:
        raise _changed("There is no such object to match if-match; leave the header out to create it.")


def is_unchanged(request: Request, current: str) -> bool:
    """Whether the caller of a GET has what it would get (`if-none-match`)."""
    seen = (request.header(b"if-none-match") or "").strip()
    return seen == "*" or current in (tag.removeprefix("W/") for tag in _TAG.findall(seen))


def _changed(message: str) -> GatewayError:
    return GatewayError(412, message, type="invalid_request_error", code="precondition_failed")
