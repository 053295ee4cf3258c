"""The HTTP server: the one module that knows which library listens."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from gateway.application import Application

# Connections beyond this wait to be accepted.
_BACKLOG = 2048
# A load balancer keeps idle connections for reuse, up to 4000 s. It must be the one that closes them: a
# request sent into a connection that this end has just closed is lost.
_KEEP_ALIVE_SECONDS = 4010
_FLUSH_SECONDS = 2


class ServerError(Exception):
    """The server cannot listen; the message says on what and why."""


async def serve(
    application: Application, *, host: str, port: int, stop: asyncio.Event, drain_seconds: float
) -> None:
    """Serve until `stop` is set, then drain: stop accepting, let running requests finish, end the rest.

    Returns when every request has ended, at the latest a little after `drain_seconds`. Raises ServerError.
    """
    server = _Server(
        uvicorn.Config(
            application,
            http="httptools",
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
    )
    serving = asyncio.create_task(server.serve(sockets=[_listen(host, port)]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await asyncio.wait({serving}, timeout=drain_seconds)
    if not serving.done():
        application.stop_running_requests()
        await asyncio.wait({serving}, timeout=_FLUSH_SECONDS)
    # A caller that reads nothing would keep its connection open for ever.
    server.force_exit = True
    await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process, which drains on them; the library would raise them again."""
        yield


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=_BACKLOG)
    except OSError as error:
        raise ServerError(f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}") from error
