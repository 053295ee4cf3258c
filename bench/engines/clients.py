"""The candidates for calling a provider over HTTP. Each is imported only by the process that uses it."""

# The candidates are installed in this benchmark's own environment, not in the project's.
# mypy: disable-error-code="import-not-found,no-untyped-call"

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from types import TracebackType
from typing import Protocol, Self

CONNECT_SECONDS = 3
READ_SECONDS = 60


class Client(AbstractAsyncContextManager["Client"], Protocol):
    """A pooled client."""

    async def post(self, url: str, body: bytes) -> bytes:
        """The whole body of the answer."""
        ...

    def stream(self, url: str, body: bytes) -> AsyncIterator[bytes]:
        """The body of the answer in the pieces it arrives in."""
        ...


class PyreqwestClient(Client):
    """pyreqwest: reqwest and hyper (Rust)."""

    def __init__(self) -> None:
        from pyreqwest.client import ClientBuilder

        self.client = (
            ClientBuilder()
            .connect_timeout(timedelta(seconds=CONNECT_SECONDS))
            .read_timeout(timedelta(seconds=READ_SECONDS))
            .build()
        )

    async def __aenter__(self) -> Self:
        await self.client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.close()

    async def post(self, url: str, body: bytes) -> bytes:
        response = await self.client.post(url).body_bytes(body).build().send()
        return bytes(await response.bytes())

    async def stream(self, url: str, body: bytes) -> AsyncIterator[bytes]:
        request = self.client.post(url).body_bytes(body).streamed_read_buffer_limit(0).build_streamed()
        async with request as response:
            while (chunk := await response.body_reader.read_chunk()) is not None:
                yield bytes(chunk)


class PyqwestClient(Client):
    """pyqwest: another binding of reqwest and hyper (Rust)."""

    def __init__(self) -> None:
        from pyqwest import Client as Pyqwest
        from pyqwest import HTTPTransport

        self.transport = HTTPTransport(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            pool_max_idle_per_host=1024,
            enable_otel=False,
        )
        self.client = Pyqwest(self.transport)

    async def __aenter__(self) -> Self:
        await self.transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.transport.aclose()

    async def post(self, url: str, body: bytes) -> bytes:
        return bytes((await self.client.post(url, content=body)).content)

    async def stream(self, url: str, body: bytes) -> AsyncIterator[bytes]:
        async with self.client.stream("POST", url, content=body) as response:
            async for chunk in response.content:
                yield bytes(chunk)


class AiohttpClient(Client):
    """aiohttp with its compiled parser."""

    def __init__(self) -> None:
        from aiohttp import ClientSession, ClientTimeout, TCPConnector

        timeout = ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS)
        self.session = ClientSession(connector=TCPConnector(limit=0), timeout=timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()

    async def post(self, url: str, body: bytes) -> bytes:
        async with self.session.post(url, data=body) as response:
            return await response.read()

    async def stream(self, url: str, body: bytes) -> AsyncIterator[bytes]:
        async with self.session.post(url, data=body) as response:
            async for chunk in response.content.iter_any():
                yield chunk


CLIENTS: dict[str, type[Client]] = {
    "pyreqwest": PyreqwestClient,
    "pyqwest": PyqwestClient,
    "aiohttp": AiohttpClient,
}
