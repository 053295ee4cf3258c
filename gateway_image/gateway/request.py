"""One HTTP request over ASGI: reading it, watching its caller, answering it."""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import cached_property
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import parse_qs

from gateway.admission.outcome import Allowances, LimitExceededError
from gateway.api_shapes import api_shape
from gateway.callers import Address
from gateway.errors import GatewayError, invalid_request
from gateway.identity.source_address import source_address
from gateway.request_headers import RequestHeaders
from gateway.request_record import RequestRecord
from gateway.trace_context import trace_id_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

# In an ASGI scope's state: why the server closed the connection before the answer was complete.
CLOSED_BECAUSE = "closed_because"
# In the same place: the caller's connection.
CONNECTION = "connection"

# A body may take this long, and longer by what it holds at the slowest speed that is still waited for.
_BODY_SECONDS = 60
_BODY_BYTES_PER_SECOND = 32 * 1024
# Paths are short; what is longer is somebody's experiment.
_PATH_IN_LOG = 300
_CALLERS_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_EVENT_STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
]


class CallersConnection(Protocol):
    """Tells when a caller leaves: servers say so only to those who ask for more of its body."""

    def when_lost(self, act: Callable[[], None]) -> None:
        """Have something done when the connection is lost, at once if it is lost already."""

    def forget(self, act: Callable[[], None]) -> None:
        """Take it back."""

    def write_chunk(self, data: bytes) -> bool:
        """Send a piece of an answer without a declared length, at once; returns whether it is read along."""

    @property
    def has_all(self) -> bool:
        """Whether all that the caller has begun to send has arrived."""


class CallerLeftError(Exception):
    """The caller closed the connection before its answer was complete."""


class Request:
    """A request that is being answered."""

    def __init__(self, scope: Message, receive: Receive, send: Send, *, forwarded_hops: int = 0) -> None:
        """forwarded_hops: how many proxies in front are trusted to name whom they forward for."""
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._headers = _by_name(scope["headers"])
        # Set by the application for paths with a placeholder.
        self.path_value: str | None = None
        self._scope = scope
        self._hops = forwarded_hops
        self._receive = receive
        self._send = send
        self._state: Mapping[str, Any] = scope["state"]
        self._connection: CallersConnection = self._state[CONNECTION]
        self._watch: _WhileCallerStays | None = None
        self._started_at = time.perf_counter()
        self.response_started = False
        self._response_complete = False
        request_id = self._request_id()
        self.response_headers: Headers = [(b"x-request-id", request_id.encode())]
        self._shape = api_shape(self.path)
        if self._shape.request_id_header is not None:
            self.response_headers.append((self._shape.request_id_header, request_id.encode()))
        self.record = RequestRecord(
            request_id=request_id,
            trace_id=trace_id_of(self.header(b"traceparent")),
            method=self.method,
            path=self.path[:_PATH_IN_LOG],
        )

    def header(self, name: bytes) -> str | None:
        """Return a header's value; names are in lower case."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def headers(self) -> Mapping[str, str]:
        """What the caller's headers say, by lower-case name; its credentials are not among them."""
        return RequestHeaders(self._headers)

    @cached_property
    def query(self) -> Mapping[str, list[str]]:
        """The values of each parameter in the query."""
        return parse_qs(self._scope["query_string"].decode("latin-1"), keep_blank_values=True)

    @cached_property
    def source_address(self) -> Address | None:
        """Where the request comes from, by the proxies that are trusted; None if that is not known."""
        client = self._scope.get("client")
        return source_address(client[0] if client else None, self.header(b"x-forwarded-for"), self._hops)

    @property
    def closed_because(self) -> str | None:
        """Why the gateway closed the connection; None if the caller did."""
        return self._state.get(CLOSED_BECAUSE)

    def tell_allowances(self, allowances: Allowances) -> None:
        """Let the answer's headers tell what is left of the caller's limits."""
        self.response_headers += self._shape.allowance_headers(allowances)

    def elapsed_ms(self) -> float:
        """Milliseconds since the request arrived."""
        return round((time.perf_counter() - self._started_at) * 1000, 3)

    @cached_property
    def declared_length(self) -> int | None:
        """How many bytes the body has by its content-length; None if it comes in chunks."""
        declared = self.header(b"content-length") or ""
        return int(declared) if declared.isdecimal() else None

    async def read_json_body(self, limit_bytes: int) -> bytes:
        """Read the whole body, not decoded.

        Raises GatewayError: 400 if it is not declared as JSON, 408 if it is too slow, 413 if it is too large.
        """
        content_type = (self.header(b"content-type") or "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise invalid_request(
                f"The content-type is {content_type[:100]!r}; send JSON with content-type: application/json.",
                param=None,
            )
        if (self.declared_length or 0) > limit_bytes:
            raise _too_large(limit_bytes)
        if self._connection.has_all:
            return await self._read_body(limit_bytes, None)
        try:
            async with asyncio.timeout(_BODY_SECONDS) as limit:
                return await self._read_body(limit_bytes, limit)
        except TimeoutError:
            raise _too_slow() from None

    async def _read_body(self, limit_bytes: int, limit: asyncio.Timeout | None) -> bytes:
        parts: list[bytes] = []
        first_deadline = (limit and limit.when()) or 0
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise CallerLeftError
            part = message.get("body", b"")
            size += len(part)
            if size > limit_bytes:
                raise _too_large(limit_bytes)
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)
            if limit is not None:
                limit.reschedule(first_deadline + size / _BODY_BYTES_PER_SECOND)

    def cancelled_when_caller_leaves(self) -> "_WhileCallerStays":
        """Cancel what runs inside as soon as the caller leaves, and raise CallerLeftError then.

        It ends with the answer: what runs inside after that is not cancelled.
        """
        self._watch = _WhileCallerStays(self._connection)
        return self._watch

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.stop()

    async def respond(
        self,
        status: int,
        body: bytes,
        headers: Headers | None = None,
        *,
        content_type: bytes = b"application/json",
    ) -> None:
        """Send a whole answer."""
        described = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
        # A 304 has no body, and would say that the one its caller has is empty.
        await self._start(status, [*(described if status != 304 else ()), *(headers or [])])
        self._stop_watching()
        self._complete()
        await self._send({"type": "http.response.body", "body": body})

    async def start_event_stream(self) -> None:
        """Send the head of an answer made of server-sent events."""
        await self._start(200, _EVENT_STREAM)

    def send_events(self, events: bytes) -> Awaitable[None]:
        """Send events at once; waits while the caller reads slower than they come."""
        return self._send({"type": "http.response.body", "body": events, "more_body": True})

    @property
    def write_events(self) -> Callable[[bytes], bool]:
        """Sends events at once, in an answer that has begun, and returns whether the caller reads along.

        If not, have `send_events` wait for it before the next ones.
        """
        return self._connection.write_chunk

    async def end_event_stream(self) -> None:
        """End the answer."""
        self._stop_watching()
        self._complete()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def fail(self, error: GatewayError) -> None:
        """Answer with an error; in an answer that has begun, as its last event; after its end, do nothing."""
        if self._response_complete:
            return
        self.record.describe(error)
        if self.response_started:
            await self.send_events(self._shape.error_event(error, self.record.request_id))
            await self.end_event_stream()
            return
        if isinstance(error, LimitExceededError):
            self.tell_allowances(error.allowances)
        headers: Headers = []
        if error.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if error.retry_after_seconds is not None:
            headers.append((b"retry-after", str(error.retry_after_seconds).encode()))
        if error.is_final:
            # OpenAI's and Anthropic's clients would ask again otherwise, as after any other 429 or 5xx.
            headers.append((b"x-should-retry", b"false"))
        body = self._shape.error_body(error, self.record.request_id)
        await self.respond(error.status, body, headers)

    def _complete(self) -> None:
        # What the gateway still does afterwards, its caller does not wait for.
        self._response_complete = True
        self.record.latency_ms = self.elapsed_ms()

    async def _start(self, status: int, headers: Headers) -> None:
        self.response_started = True
        self.record.status = status
        await self._send(
            {"type": "http.response.start", "status": status, "headers": self.response_headers + headers}
        )

    def _request_id(self) -> str:
        # A caller's own ID helps it to find its request in the log; one that could confuse a log is replaced.
        given = self.header(b"x-request-id")
        if given is not None and _CALLERS_REQUEST_ID.fullmatch(given):
            return given
        return f"req_{secrets.token_hex(16)}"


class _WhileCallerStays:
    # No generator: it is entered for every request.

    def __init__(self, connection: CallersConnection) -> None:
        self._connection = connection
        self._left = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (the server runs each request in a task)
        self._task = task
        self._connection.when_lost(self._leave)

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.stop()
        if isinstance(error, asyncio.CancelledError) and self._left and self._task.uncancel() == 0:
            raise CallerLeftError from None

    def stop(self) -> None:
        self._connection.forget(self._leave)

    def _leave(self) -> None:
        self._left = True
        self._task.cancel()


def _too_slow() -> GatewayError:
    return GatewayError(
        408,
        f"The request's body came slower than {_BODY_BYTES_PER_SECOND // 1024} KiB/s after the first "
        f"{_BODY_SECONDS} s; send it faster.",
        type="invalid_request_error",
        code="request_timeout",
    )


def _by_name(headers: Headers) -> dict[bytes, bytes]:
    """The headers by name; several of one name mean what one with all their values does (RFC 9110, 5.3)."""
    by_name = dict(headers)
    if len(by_name) < len(headers):
        by_name.clear()
        for name, value in headers:
            by_name[name] = by_name[name] + b", " + value if name in by_name else value
    return by_name


def _too_large(limit_bytes: int) -> GatewayError:
    return GatewayError(
        413,
        f"The request's body is larger than the limit of {limit_bytes} bytes; send less.",
        type="invalid_request_error",
        code="request_too_large",
    )
