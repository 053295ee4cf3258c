"""The way to servers of another region on this machine: it can be cut, fall silent and be late."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Sequence

_CHUNK = 128 * 1024


class Relay:
    """Listens on a port and sends each connection to the next server that takes it.

    A region's load balancer has the gateways behind it, the line of a replica the primary database.
    """

    def __init__(self, port: int, servers: Sequence[int]) -> None:
        self.port = port
        self.servers = list(servers)
        # How late the servers' bytes arrive.
        self.late_seconds = 0.0
        self._turn = itertools.count()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()

    @property
    def url(self) -> str:
        """Where callers find it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def listens(self) -> bool:
        """Whether it takes connections."""
        return self._server is not None

    async def start(self) -> None:
        """Listen, at first or again after it was cut."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    def fall_silent(self) -> None:
        """Take connections and bytes, and let none through: whoever is at the other end waits."""
        self._flows.clear()

    def flow(self) -> None:
        """Let through again what comes, and what waits."""
        self._flows.set()

    async def cut(self) -> None:
        """Drop every connection and take no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        if connection is None:
            raise RuntimeError("a stream is served by a task")
        self._connections.add(connection)
        # The streams' own callback takes a task that was cancelled for an error.
        with contextlib.suppress(asyncio.CancelledError):
            await self._connect(reader, writer)
        self._connections.discard(connection)
        writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flows.wait()
        server = await self._next_server()
        if server is None:
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pass(reader, server[1]))
                tasks.create_task(self._pass_late(server[0], writer))
        finally:
            server[1].transport.abort()

    async def _next_server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        first = next(self._turn)
        for offset in range(len(self.servers)):
            port = self.servers[(first + offset) % len(self.servers)]
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        return None

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._write(writer, data)
            writer.write_eof()

    async def _pass_late(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        receiving = asyncio.create_task(self._receive(reader, under_way))
        try:
            with contextlib.suppress(OSError):
                while True:
                    due, data = await under_way.get()
                    if (early := due - time.monotonic()) > 0:
                        await asyncio.sleep(early)
                    if not data:
                        writer.write_eof()
                        return
                    await self._write(writer, data)
        finally:
            receiving.cancel()

    async def _receive(
        self, reader: asyncio.StreamReader, under_way: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        data = b"anything"
        while data:
            try:
                data = await reader.read(_CHUNK)
            except OSError:
                data = b""
            under_way.put_nowait((time.monotonic() + self.late_seconds, data))

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        await self._flows.wait()
        writer.write(data)
        await writer.drain()
