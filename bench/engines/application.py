"""One gateway in miniature, assembled from the engines that BENCH_CANDIDATE names; run as a module it serves.

Work per request: look the key up by its SHA-256, decode and validate, one cache script, call the provider,
translate the answer. BENCH_CANDIDATE is server+client+codec+cache, BENCH_UPSTREAM a URL, BENCH_CACHE and
BENCH_LISTEN are ports.
"""

# The candidates are installed in this benchmark's own environment, not in the project's.
# mypy: disable-error-code="import-not-found,no-untyped-call"

import asyncio
import hashlib
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from bench.engines.caches import CACHES, Cache
from bench.engines.clients import CLIENTS, Client
from bench.engines.codecs import CODECS

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

API_KEY = "sk-bench-0123456789abcdef"
_CALLERS = {hashlib.sha256(API_KEY.encode()).digest(): "bench"}
_JSON = [(b"content-type", b"application/json")]
_SSE = [(b"content-type", b"text/event-stream")]


class Application:
    """The ASGI application."""

    def __init__(self, client: str, codec: str, cache: str) -> None:
        self.make_client = CLIENTS[client]
        self.codec = CODECS[codec]()
        self.make_cache = CACHES[cache]
        self.url = os.environ["BENCH_UPSTREAM"]
        self.client: Client
        self.cache: Cache

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["path"] == "/health":
            await _respond(send, 200, b"{}")
        else:
            await self._complete(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        cache_port = int(os.environ["BENCH_CACHE"])
        async with self.make_client() as self.client, self.make_cache(cache_port) as self.cache:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _complete(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        authorization = next(value for name, value in scope["headers"] if name == b"authorization")
        caller = _CALLERS.get(hashlib.sha256(authorization.removeprefix(b"Bearer ")).digest())
        if caller is None:
            await _respond(send, 401, b"{}")
            return
        stream, upstream_body = self.codec.request(await _body(receive))
        if not await self.cache.admit(caller):
            await _respond(send, 429, b"{}")
        elif stream:
            await self._stream(upstream_body, receive, send)
        else:
            await _respond(send, 200, self.codec.response(await self.client.post(self.url, upstream_body)))

    async def _stream(self, upstream_body: bytes, receive: Receive, send: Send) -> None:
        current = asyncio.current_task()
        assert current is not None
        watcher = asyncio.create_task(_cancel_when_left(receive, current))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _SSE})
            pending = b""
            async for chunk in self.client.stream(self.url, upstream_body):
                *events, pending = (pending + chunk).split(b"\n\n")
                for event in events:
                    await send(_chunk(self.codec.event(event), more=True))
            await send(_chunk(b"data: [DONE]\n\n", more=False))
        finally:
            watcher.cancel()


async def _cancel_when_left(receive: Receive, task: asyncio.Task[Any]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    task.cancel()


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    return body


async def _respond(send: Send, status: int, body: bytes) -> None:
    headers = [*_JSON, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send(_chunk(body, more=False))


def _chunk(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


def create() -> Application:
    """The application of BENCH_CANDIDATE: what each server imports."""
    _, client, codec, cache = os.environ["BENCH_CANDIDATE"].split("+")
    return Application(client, codec, cache)


def _serve_granian(port: int) -> None:
    from granian import Granian
    from granian.constants import Interfaces, Loops

    Granian(
        "bench.engines.application:create",
        factory=True,
        port=port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        log_enabled=False,
    ).serve()


def _serve_granian_embedded(port: int) -> None:
    import uvloop
    from granian.constants import Interfaces
    from granian.server.embed import Server

    async def main() -> None:
        server = Server(create(), port=port, interface=Interfaces.ASGI, log_enabled=False, backlog=1024)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        await server.serve()

    uvloop.run(main())


def _serve_uvicorn(port: int) -> None:
    import uvicorn

    uvicorn.run(
        "bench.engines.application:create",
        factory=True,
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


SERVERS = {"granian": _serve_granian, "granian-embedded": _serve_granian_embedded, "uvicorn": _serve_uvicorn}

if __name__ == "__main__":
    SERVERS[os.environ["BENCH_CANDIDATE"].split("+")[0]](int(os.environ["BENCH_LISTEN"]))
