"""The HTTP server: with its connections (gateway.connection), all that knows which library listens."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn

from gateway.application import Application
from gateway.connection import Connection, ConnectionRules, ServerConfig
from gateway.request import Message, Receive, Send
from gateway.shutdown import Shutdown

ASGIApplication = Callable[[Message, Receive, Send], Awaitable[None]]

# Connections beyond this wait to be accepted.
_BACKLOG = 2048
# A load balancer keeps idle connections for reuse, up to 4000 s. It must be the one that closes them: a
# request sent into a connection that this end has just closed is lost.
_KEEP_ALIVE_SECONDS = 4010
_FLUSH_SECONDS = 2


class ServerError(Exception):
    """The server cannot listen; the message says on what and why."""


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; raises ServerError."""
    try:
        return socket.create_server((host, port), backlog=_BACKLOG)
    except OSError as error:
        raise ServerError(f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}") from error


async def serve(
    application: Application,
    listener: socket.socket,
    rules: ConnectionRules,
    shutdown: Shutdown,
    *,
    lame_duck_seconds: float,
    drain_seconds: float,
) -> None:
    """Serve until the shutdown is announced, a little longer while callers go elsewhere, and then drain.

    Draining: stop accepting, let running requests finish, end the rest. Returns when every request has ended,
    at the latest a little after `lame_duck_seconds + drain_seconds`.
    """
    server = _server(application, rules)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await _wait(serving, shutdown.announced)
    server.close_connections_after_answers()
    await _wait(serving, shutdown.immediate, seconds=lame_duck_seconds)
    server.should_exit = True
    await asyncio.wait({serving}, timeout=drain_seconds)
    if not serving.done():
        application.stop_running_requests()
        await asyncio.wait({serving}, timeout=_FLUSH_SECONDS)
    # A caller that reads nothing would keep its connection open for ever.
    server.force_exit = True
    await serving


async def serve_beside(application: ASGIApplication, listener: socket.socket) -> None:
    """Serve, until cancelled, what only the platform asks for."""
    server = _server(application, ConnectionRules())
    try:
        await server.serve(sockets=[listener])
    finally:
        for each in server.servers:
            each.close()


async def _wait(serving: asyncio.Task[None], event: asyncio.Event, seconds: float | None = None) -> None:
    """Wait for an event, or until the server has ended by itself."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({serving, waiting}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


class _Server(uvicorn.Server):
    config: ServerConfig

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process, which drains on them; the library would raise them again."""
        yield

    def close_connections_after_answers(self) -> None:
        """Let every connection end with its next answer, so that callers connect elsewhere."""
        self.config.rules.close_after_answer = True
        for connection in self.server_state.connections:
            if isinstance(connection, Connection):
                connection.close_after_answer()


def _server(application: ASGIApplication, rules: ConnectionRules) -> _Server:
    config = ServerConfig(
        application,
        http=Connection,
        ws="none",
        lifespan="off",
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        # What the library logs goes where all logging goes.
        log_config=None,
    )
    config.rules = rules
    return _Server(config)
