"""The HTTP client: kept-alive HTTP/1.1 connections to providers and AWS, on httptools' parser.

Its own because every byte takes this path: the libraries that end a call at once when a caller leaves take
four times as much CPU for a request (docs/decisions/0009-http-client.md).
"""

import asyncio
import math
import ssl
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from socket import IPPROTO_TCP, SO_KEEPALIVE, SOL_SOCKET, TCP_KEEPIDLE, TCP_KEEPINTVL
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.http_client.connection import Connection, request_head
from gateway.http_client.errors import HttpConnectError, HttpError, HttpTimeoutError

__all__ = [
    "HttpClient",
    "HttpConnectError",
    "HttpError",
    "HttpResponse",
    "HttpTimeoutError",
    "StreamingResponse",
]

# A NAT gateway drops connections that are silent for 350 s, and a model may think for longer.
_KEEPALIVE_SECONDS = 30
# Shorter than the idle time of the endpoints called, so that a request seldom meets a closing connection.
_IDLE_SECONDS = 45


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole response; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class StreamingResponse:
    """A response whose body is read as it arrives.

    read_chunk: returns what has arrived, b"" at the end; raises HttpError if the body is cut short.
    relay: hands each piece to a function at the moment it arrives (Connection.relay).
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.status = connection.status
        self.headers: Mapping[str, str] = connection.headers
        # Without steps of their own: they are taken for each chunk of every stream.
        self.read_chunk = connection.read_chunk
        self.relay = connection.relay

    def limit_each_wait(self, seconds: float) -> None:
        """Instead of the limit so far, raise HttpTimeoutError when reading waits for so long."""
        self._connection.limit(seconds, per_wait=True)

    async def read_all(self) -> bytes:
        """Return the rest of the body; raises HttpError if it is cut short."""
        return await self._connection.read_all()


class _Limits(NamedTuple):
    """deadline: on the monotonic clock, for all that is done until another limit is put in place."""

    connect_seconds: float
    deadline: float


class _Origin(NamedTuple):
    host: str
    port: int
    tls: bool


@dataclass(slots=True)
class _Idle:
    connection: Connection
    since: float


class HttpClient:
    """Connections that are kept alive and shared. Cancelling a request closes its connection.

    Make it and use it in one event loop.
    """

    def __init__(self) -> None:
        # Of each origin, the one that has been idle for the longest first.
        self._idle: defaultdict[_Origin, deque[_Idle]] = defaultdict(deque)
        self._tls: ssl.SSLContext | None = None

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        connect_seconds: float,
        seconds: float = math.inf,
    ) -> HttpResponse:
        """Send a request and read the whole response; raises HttpError.

        seconds: for all of it; connecting may take no longer than `connect_seconds` of them.
        """
        limits = _Limits(connect_seconds, time.monotonic() + seconds)
        origin, connection = await self._request(method, url, headers, body, limits, stream=False)
        try:
            content = await connection.read_all()
            return HttpResponse(connection.status, connection.headers, content)
        finally:
            self._release(origin, connection)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        connect_seconds: float,
        seconds: float,
    ) -> AsyncIterator[StreamingResponse]:
        """Send a request and hand out the response once its headers are there; raises HttpError.

        seconds: for all of it, connecting too, until `limit_each_wait` puts another limit in place.
        The body flows only as fast as it is read. Leaving before its end closes the connection.
        """
        limits = _Limits(connect_seconds, time.monotonic() + seconds)
        origin, connection = await self._request(method, url, headers, body, limits, stream=True)
        try:
            yield StreamingResponse(connection)
        finally:
            self._release(origin, connection)

    async def close(self) -> None:
        """Close all connections that no request is using."""
        for waiting in self._idle.values():
            for idle in waiting:
                idle.connection.close()
        self._idle.clear()

    async def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        limits: _Limits,
        *,
        stream: bool,
    ) -> tuple[_Origin, Connection]:
        """Send a request and wait for the response's head."""
        origin, target, host = _split(url)
        head = request_head(method, target, host, headers, len(body))
        if (connection := self._take_idle(origin)) is not None:
            try:
                await self._exchange(connection, head, body, limits, stream=stream)
            except HttpTimeoutError:
                raise
            except HttpError:
                # Most likely the peer gave the idle connection up while the request was on its way.
                if connection.answering:
                    raise
            else:
                return origin, connection
        connection = await self._connect(origin, limits)
        await self._exchange(connection, head, body, limits, stream=stream)
        return origin, connection

    async def _exchange(
        self, connection: Connection, head: bytes, body: bytes, limits: _Limits, *, stream: bool
    ) -> None:
        try:
            connection.limit(limits.deadline - time.monotonic(), per_wait=False)
            connection.send(head, body, stream=stream)
            if stream:
                await connection.wait_for_head()
            else:
                await connection.wait_for_end()
        except BaseException:
            connection.close()
            raise

    def _take_idle(self, origin: _Origin) -> Connection | None:
        waiting = self._idle[origin]
        _drop_old(waiting)
        while waiting:
            connection = waiting.pop().connection
            if connection.reusable:
                return connection
            connection.close()
        return None

    def _release(self, origin: _Origin, connection: Connection) -> None:
        if connection.reusable:
            connection.rest()
            waiting = self._idle[origin]
            _drop_old(waiting)
            waiting.append(_Idle(connection, time.monotonic()))
        else:
            connection.close()

    async def _connect(self, origin: _Origin, limits: _Limits) -> Connection:
        loop = asyncio.get_running_loop()
        seconds = min(limits.connect_seconds, limits.deadline - time.monotonic())
        try:
            async with asyncio.timeout(seconds):
                transport, connection = await loop.create_connection(
                    Connection, origin.host, origin.port, ssl=self._context() if origin.tls else None
                )
            connected = transport.get_extra_info("socket")
            connected.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
            connected.setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, _KEEPALIVE_SECONDS)
            connected.setsockopt(IPPROTO_TCP, TCP_KEEPINTVL, _KEEPALIVE_SECONDS)
        except TimeoutError:
            # Where little time was left, it says nothing about the peer.
            kind = HttpConnectError if seconds == limits.connect_seconds else HttpTimeoutError
            raise kind(f"no connection to {origin.host} within {seconds:.3g} s") from None
        except (OSError, UnicodeError) as error:
            raise HttpConnectError(f"no connection to {origin.host}: {error}") from error
        return connection

    def _context(self) -> ssl.SSLContext:
        # Reading the certificate authorities takes a while: once, and only if there is something to call.
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


def _drop_old(waiting: deque[_Idle]) -> None:
    oldest = time.monotonic() - _IDLE_SECONDS
    while waiting and waiting[0].since < oldest:
        waiting.popleft().connection.close()


@lru_cache(maxsize=1024)
def _split(url: str) -> tuple[_Origin, str, str]:
    """The origin, the target in the request line, and the host header of a URL that is encoded already."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise HttpConnectError(f"the URL makes no sense: {error}") from None
    tls = parts.scheme == "https"
    if not parts.hostname or (not tls and parts.scheme != "http"):
        raise HttpConnectError("the URL is not an absolute http or https URL")
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    return _Origin(parts.hostname, port or (443 if tls else 80), tls), target, parts.netloc
