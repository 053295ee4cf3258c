"""The HTTP client: the one module that knows which library speaks to providers and AWS."""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import (
    AddrInfoType,
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)
from yarl import URL

# A NAT gateway drops connections that are silent for 350 s, and a model may think for longer.
_KEEPALIVE_SECONDS = 30


class HttpError(Exception):
    """A request failed before its response was complete: the network, the peer or the protocol."""


class HttpConnectError(HttpError):
    """No connection could be made, so the request was not sent."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole response; look headers up by any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class StreamingResponse:
    """A response whose body is read as it arrives."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def read_chunk(self) -> bytes:
        """Return what has arrived, b"" at the end; raises HttpError if the body is cut short."""
        try:
            return await self._response.content.readany()
        except (ClientError, OSError) as error:
            raise HttpError(str(error)) from error

    async def read_all(self) -> bytes:
        """Return the rest of the body; raises HttpError if it is cut short."""
        try:
            return await self._response.read()
        except (ClientError, OSError) as error:
            raise HttpError(str(error)) from error


class HttpClient:
    """Connections that are kept alive and shared. Cancelling a request closes its connection.

    Make it and use it in one event loop.
    """

    def __init__(self) -> None:
        self._session = ClientSession(
            connector=TCPConnector(limit=0, socket_factory=_open_socket),
            cookie_jar=DummyCookieJar(),
            headers={"user-agent": "gatehouse"},
            # Asking for no compression and sending only what was signed.
            skip_auto_headers=("accept-encoding", "content-type"),
            auto_decompress=False,
        )

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"", connect_seconds: float
    ) -> HttpResponse:
        """Send a request and read the whole response; raises HttpError.

        Only connecting has a time limit here; callers bound the rest with asyncio.timeout.
        """
        async with self.stream(
            method, url, headers=headers, body=body, connect_seconds=connect_seconds
        ) as response:
            return HttpResponse(response.status, response.headers, await response.read_all())

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, connect_seconds: float
    ) -> AsyncIterator[StreamingResponse]:
        """Send a request and hand out the response once its headers are there; raises HttpError.

        The body flows only as fast as it is read. Leaving before its end closes the connection.
        """
        try:
            response = await self._session.request(
                method,
                # Encoded already: the signature covers this very text.
                URL(url, encoded=True),
                headers=headers,
                data=body,
                allow_redirects=False,
                timeout=ClientTimeout(total=None, connect=connect_seconds),
            )
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise HttpConnectError(str(error)) from error
        except (ClientError, OSError) as error:
            raise HttpError(str(error)) from error
        try:
            yield StreamingResponse(response)
        finally:
            response.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


def _open_socket(address: AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = address
    connection = socket.socket(family, kind, protocol)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_SECONDS)
    connection.setblocking(False)
    return connection
