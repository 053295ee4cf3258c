"""The ASGI application: finds a request's handler, turns errors into answers and logs what happened."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from gateway.errors import GatewayError
from gateway.request import CallerLeftError, Message, Receive, Request, Send
from gateway.structured_log import Level, StructuredLog

Handler = Callable[[Request], Awaitable[None]]
Routes = Mapping[str, Mapping[str, Handler]]

# nginx's status for a caller that left; nobody receives it, the log shows it.
_CALLER_LEFT_STATUS = 499


class Application:
    """Serves routes, a mapping of path to method to handler, and knows which requests are running."""

    def __init__(self, routes: Routes, log: StructuredLog) -> None:
        self._routes = routes
        self._log = log
        self._running: set[asyncio.Task[object]] = set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (the server runs each request in a task)
        self._running.add(task)
        try:
            await self._answer(Request(scope, receive, send))
        finally:
            self._running.discard(task)

    def stop_running_requests(self) -> None:
        """End every request that still runs; its caller gets an error, in a stream as the last event."""
        for task in self._running:
            task.cancel()

    async def _answer(self, request: Request) -> None:
        try:
            await self._handler(request)(request)
        except GatewayError as error:
            await request.fail(error)
        except CallerLeftError:
            request.record.status = _CALLER_LEFT_STATUS
        except asyncio.CancelledError:
            await request.fail(_stopping())
        # The boundary of the process: what else goes wrong is this gateway's fault, and the caller is told.
        except Exception as error:  # noqa: BLE001
            self._log.write_exception("unexpected_error", error, request_id=request.record.request_id)
            await request.fail(_unexpected())
        finally:
            self._write_record(request)

    def _handler(self, request: Request) -> Handler:
        methods = self._routes.get(request.path)
        if methods is None:
            raise GatewayError(
                404,
                f"There is nothing at {request.path[:200]!r}; there is {', '.join(sorted(self._routes))}.",
                type="invalid_request_error",
                code="unknown_url",
            )
        handler = methods.get(request.method)
        if handler is None:
            allowed = ", ".join(sorted(methods))
            request.response_headers.append((b"allow", allowed.encode()))
            raise GatewayError(
                405,
                f"{request.path} does not answer {request.method}; allowed: {allowed}.",
                type="invalid_request_error",
                code="method_not_allowed",
            )
        return handler

    def _write_record(self, request: Request) -> None:
        record = request.record
        if record.latency_ms is None:
            record.latency_ms = request.elapsed_ms()
        # Health checks come every few seconds from every load balancer node.
        level: Level = "debug" if request.path.startswith("/health/") else "info"
        self._log.write(level, "request", **msgspec.structs.asdict(record))


def _stopping() -> GatewayError:
    return GatewayError(
        503,
        "This gateway process is stopping and its time to finish requests is over; send the request again.",
        type="api_error",
        code="stopping",
        retry_after_seconds=1,
    )


def _unexpected() -> GatewayError:
    return GatewayError(
        500,
        "The gateway failed to handle this request. The x-request-id header names it in the gateway's log.",
        type="api_error",
        code="internal_error",
    )
