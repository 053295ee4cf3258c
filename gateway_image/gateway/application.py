"""The ASGI application: finds a request's handler, turns errors into answers and logs what happened."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.request import CallerLeftError, Message, Receive, Request, Send
from gateway.structured_log import Level, StructuredLog

Handler = Callable[[Request], Awaitable[None]]
Routes = Mapping[str, Mapping[str, Handler]]
# The requests that are being answered, each by its task.
Running = set[asyncio.Task[object]]

# nginx's status for a caller that left; nobody receives it, the log shows it.
_CALLER_LEFT_STATUS = 499


class Application:
    """Serves routes, a mapping of path to method to handler, and keeps the set of running requests.

    A path may hold one {model}: it stands for a model's name, which handlers find in request.model_in_path.
    """

    def __init__(self, routes: Routes, log: StructuredLog, metrics: Metrics, running: Running) -> None:
        self._routes = routes
        self._with_model: list[tuple[str, str, Mapping[str, Handler]]] = [
            (before, after, methods)
            for path, methods in routes.items()
            for before, placeholder, after in [path.partition("{model}")]
            if placeholder
        ]
        self._log = log
        self._metrics = metrics
        self._running = running

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
            request.record.error_code = request.closed_because
        except asyncio.CancelledError:
            await request.fail(_stopping())
        # The boundary of the process: what else goes wrong is this gateway's fault, and the caller is told.
        except Exception as error:  # noqa: BLE001
            self._log.write_exception("unexpected_error", error, request_id=request.record.request_id)
            await request.fail(_unexpected())
        finally:
            self._write_record(request)

    def _handler(self, request: Request) -> Handler:
        methods = self._routes.get(request.path) or self._methods_with_model(request)
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

    def _methods_with_model(self, request: Request) -> Mapping[str, Handler] | None:
        path = request.path
        for before, after, methods in self._with_model:
            if path.startswith(before) and path.endswith(after) and len(path) > len(before) + len(after):
                request.model_in_path = path[len(before) : len(path) - len(after)]
                return methods
        return None

    def _write_record(self, request: Request) -> None:
        record = request.record
        if record.latency_ms is None:
            record.latency_ms = request.elapsed_ms()
        # Health checks come every few seconds from every load balancer node.
        is_health_check = request.path.startswith("/health/")
        level: Level = "debug" if is_health_check else "info"
        self._log.write(level, "request", **msgspec.structs.asdict(record))
        if not is_health_check:
            self._metrics.count(record)


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
