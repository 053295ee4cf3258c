"""One HTTP request over ASGI: reading it, watching its caller, answering it."""

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from gateway.errors import GatewayError, invalid_request

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_BODY_SECONDS = 60
_CALLERS_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_JSON = (b"content-type", b"application/json")
_EVENT_STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
]


class CallerLeftError(Exception):
    """The caller closed the connection before its answer was complete."""


class RequestRecord(msgspec.Struct, kw_only=True):
    """What the log says about one request; times in milliseconds."""

    request_id: str
    method: str
    path: str
    status: int | None = None
    latency_ms: float | None = None
    caller: str | None = None
    model: str | None = None
    deployment: str | None = None
    region: str | None = None
    streamed: bool | None = None
    time_to_first_token_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    upstream_request_id: str | None = None
    error_type: str | None = None
    error_code: str | None = None
    error_detail: str | None = None

    def describe(self, error: GatewayError) -> None:
        """Note what ended the request; the message is left out, for it may quote the prompt."""
        self.error_type, self.error_code, self.error_detail = error.type, error.code, error.detail


class Request:
    """A request that is being answered."""

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._send = send
        self._started_at = time.perf_counter()
        self._watcher: asyncio.Task[None] | None = None
        self.response_started = False
        self._response_complete = False
        request_id = self._request_id()
        self.response_headers: Headers = [(b"x-request-id", request_id.encode())]
        self.record = RequestRecord(request_id=request_id, method=self.method, path=self.path)

    def header(self, name: bytes) -> str | None:
        """Return a header's value; names are in lower case."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def elapsed_ms(self) -> float:
        """Milliseconds since the request arrived."""
        return round((time.perf_counter() - self._started_at) * 1000, 3)

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
        declared = self.header(b"content-length") or ""
        if declared.isdecimal() and int(declared) > limit_bytes:
            raise _too_large(limit_bytes)
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                return await self._read_body(limit_bytes)
        except TimeoutError:
            raise GatewayError(
                408,
                f"The request's body did not arrive within {_BODY_SECONDS} s.",
                type="invalid_request_error",
            ) from None

    async def _read_body(self, limit_bytes: int) -> bytes:
        parts: list[bytes] = []
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

    @asynccontextmanager
    async def cancelled_when_caller_leaves(self) -> AsyncIterator[None]:
        """Cancel what runs inside as soon as the caller leaves, and raise CallerLeftError then.

        Servers do not do this: they only tell the next `receive`. Enter it once the body has been read. It
        ends with the answer: what runs inside after that is not cancelled.
        """
        task = asyncio.current_task()
        left = False

        async def watch() -> None:
            nonlocal left
            while (await self._receive())["type"] != "http.disconnect":
                pass
            left = True
            if task is not None:
                task.cancel()

        self._watcher = asyncio.create_task(watch())
        try:
            yield
        except asyncio.CancelledError:
            if left and task is not None and task.uncancel() == 0:
                raise CallerLeftError from None
            raise
        finally:
            self._stop_watching()

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()

    async def respond(self, status: int, body: bytes, headers: Headers | None = None) -> None:
        """Send a whole answer with a JSON body."""
        length = (b"content-length", str(len(body)).encode())
        await self._start(status, [_JSON, length, *(headers or [])])
        self._stop_watching()
        self._complete()
        await self._send({"type": "http.response.body", "body": body})

    async def start_event_stream(self) -> None:
        """Send the head of an answer made of server-sent events."""
        await self._start(200, _EVENT_STREAM)

    async def send_events(self, events: bytes) -> None:
        """Send events at once; waits while the caller reads slower than they come."""
        await self._send({"type": "http.response.body", "body": events, "more_body": True})

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
            await self.send_events(b"data: " + error.body() + b"\n\n")
            await self.end_event_stream()
            return
        headers: Headers = []
        if error.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if error.retry_after_seconds is not None:
            headers.append((b"retry-after", str(error.retry_after_seconds).encode()))
        await self.respond(error.status, error.body(), headers)

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


def _too_large(limit_bytes: int) -> GatewayError:
    return GatewayError(
        413,
        f"The request's body is larger than the limit of {limit_bytes} bytes; send less.",
        type="invalid_request_error",
        code="request_too_large",
    )
