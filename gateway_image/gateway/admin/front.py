"""What every handler of the admin API has around it: who asks, and how answers are written."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic import BaseModel

from gateway.admin.etags import is_unchanged
from gateway.admin.parts import AdminParts
from gateway.application import Handler
from gateway.cache.errors import CacheError
from gateway.callers import Caller
from gateway.database.errors import DatabaseUnavailableError, ReadOnlyError
from gateway.errors import GatewayError
from gateway.request import Headers, Request

_JSON = b"application/json"
# What the answers tell is for those who asked, as it is now.
_NO_STORE = (b"cache-control", b"no-store")
_RETRY_SECONDS = 5


@dataclass(frozen=True)
class Answer:
    """What a handler answers: JSON of a model, or bytes of JSON or of another type."""

    content: BaseModel | bytes
    status: int = 200
    etag: str | None = None
    headers: Headers = field(default_factory=list)
    content_type: bytes = _JSON

    def body(self) -> bytes:
        """The body as it is sent."""
        if isinstance(self.content, bytes):
            return self.content
        return self.content.model_dump_json().encode()


@dataclass(frozen=True)
class Asked:
    """A request, who sent it, and what the process has to answer it with."""

    parts: AdminParts
    request: Request
    caller: Caller


Act = Callable[[Asked], Awaitable[Answer]]


def for_admins(parts: AdminParts, act: Act) -> Handler:
    """A handler that only admins may ask; others get a 403."""

    async def handle(request: Request) -> None:
        caller = await parts.identify(request)
        if not caller.is_admin:
            raise GatewayError(
                403,
                f"{caller.name!r} is no admin; the admin API is for callers with the role 'admin'.",
                type="permission_error",
                code="admins_only",
            )
        await _answer(act, Asked(parts, request, caller))

    return handle


def for_callers(parts: AdminParts, act: Act) -> Handler:
    """A handler that every caller may ask, about itself."""

    async def handle(request: Request) -> None:
        await _answer(act, Asked(parts, request, await parts.identify(request)))

    return handle


async def _answer(act: Act, asked: Asked) -> None:
    request = asked.request
    try:
        answer = await act(asked)
    except ReadOnlyError as error:
        raise _passive(error) from error
    except DatabaseUnavailableError as error:
        raise _away("database", "database_unavailable", error) from error
    except CacheError as error:
        raise _away("cache", "cache_unavailable", error) from error
    headers = [_NO_STORE, *answer.headers]
    if answer.etag is not None:
        headers.append((b"etag", answer.etag.encode()))
        if request.method == "GET" and is_unchanged(request, answer.etag):
            await request.respond(304, b"", headers)
            return
    await request.respond(answer.status, answer.body(), headers, content_type=answer.content_type)


def _passive(error: Exception) -> GatewayError:
    """Without `retry-after`: this region may stand by for months."""
    return GatewayError(
        503,
        "This region stands by: its database is a replica, which takes no changes. Send them to the active "
        "region.",
        type="api_error",
        code="read_only_region",
        detail=str(error),
    )


def _away(service: str, code: str, error: Exception) -> GatewayError:
    return GatewayError(
        503,
        f"The gateway's {service} cannot be reached; try again in {_RETRY_SECONDS} s.",
        type="api_error",
        code=code,
        retry_after_seconds=_RETRY_SECONDS,
        detail=str(error),
    )
