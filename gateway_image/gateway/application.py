"""The ASGI application: finds a request's handler, turns errors into answers and logs what happened."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping

from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.request import CallerLeftError, Message, Receive, Request, Send
from gateway.request_record import RequestRecord
from gateway.structured_log import Level, StructuredLog

Handler = Callable[[Request], Awaitable[None]]
Routes = Mapping[str, Mapping[str, Handler]]
# The requests that are being answered, each by its task.
Running = set[asyncio.Task[object]]

_PLACEHOLDER = re.compile(r"(.*)\{[a-z_]+\}(.*)")
# nginx's status for a caller that left; nobody receives it, the log shows it.
_CALLER_LEFT_STATUS = 499


class Application:
    """Serves routes, a mapping of path to method to handler, and keeps the set of running requests.

    A path may hold one {placeholder}: what stands in its place, handlers find in request.path_value. A
    model's name may hold slashes, so the longest path that fits counts.
    """

    def __init__(
        self,
        routes: Routes,
        log: StructuredLog,
        metrics: Metrics,
        running: Running,
        *,
        later: Callable[[], Routes] | None = None,
        account_for: Callable[[RequestRecord], None] = lambda _record: None,
        forwarded_hops: int = 0,
    ) -> None:
        """later: loads further routes, in a thread. account_for: told of each request that has ended.

        forwarded_hops: as in Request.
        """
        self._routes: dict[str, Mapping[str, Handler]] = {}
        self._with_placeholder: list[tuple[str, str, Mapping[str, Handler]]] = []
        self._add(routes)
        self._later = later
        self._loading = asyncio.Lock()
        self._log = log
        self._metrics = metrics
        self._running = running
        self._account_for = account_for
        self._forwarded_hops = forwarded_hops

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (the server runs each request in a task)
        self._running.add(task)
        try:
            await self._answer(Request(scope, receive, send, forwarded_hops=self._forwarded_hops))
        finally:
            self._running.discard(task)

    async def load_rest(self) -> None:
        """Load the routes that come later, unless they are there."""
        async with self._loading:
            if self._later is not None:
                self._add(await asyncio.to_thread(self._later))
                self._later = None

    def stop_running_requests(self) -> None:
        """End every request that still runs; its caller gets an error, in a stream as the last event."""
        for task in self._running:
            task.cancel()

    async def _answer(self, request: Request) -> None:
        try:
            methods = self._methods(request)
            if methods is None and self._later is not None:
                await self.load_rest()
                methods = self._methods(request)
            await self._handler(request, methods)(request)
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

    def _add(self, routes: Routes) -> None:
        self._routes.update(routes)
        self._with_placeholder = sorted(
            (
                (before, after, methods)
                for path, methods in self._routes.items()
                for before, after in _PLACEHOLDER.findall(path)
            ),
            key=lambda route: -len(route[0]) - len(route[1]),
        )

    def _methods(self, request: Request) -> Mapping[str, Handler] | None:
        return self._routes.get(request.path) or self._methods_with_placeholder(request)

    def _handler(self, request: Request, methods: Mapping[str, Handler] | None) -> Handler:
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

    def _methods_with_placeholder(self, request: Request) -> Mapping[str, Handler] | None:
        path = request.path
        for before, after, methods in self._with_placeholder:
            if path.startswith(before) and path.endswith(after) and len(path) > len(before) + len(after):
                request.path_value = path[len(before) : len(path) - len(after)]
                return methods
        return None

    def _write_record(self, request: Request) -> None:
        record = request.record
        if record.latency_ms is None:
            record.latency_ms = request.elapsed_ms()
        # Health checks come every few seconds from every load balancer node.
        is_health_check = request.path.startswith("/health/")
        level: Level = "debug" if is_health_check else "info"
        self._log.write_record(level, "request", record)
        if not is_health_check:
            self._metrics.count(record)
            self._account_for(record)


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
