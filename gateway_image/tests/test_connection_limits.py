"""Callers that send or read too slowly, against a server with short limits."""

import asyncio
import gc
import io
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from gateway import request as request_module
from gateway.application import Application
from gateway.connection import Connection, ConnectionRules
from gateway.metrics import Metrics
from gateway.request import Request
from gateway.server import listen, serve
from gateway.shutdown import Shutdown
from gateway.structured_log import StructuredLog

pytestmark = pytest.mark.anyio

HEAD = b"POST /echo HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
LIMIT = 1_000_000


async def echo(request: Request) -> None:
    await request.respond(200, await request.read_json_body(LIMIT))


async def flood(request: Request) -> None:
    await request.read_json_body(LIMIT)
    with request.cancelled_when_caller_leaves():
        await request.start_event_stream()
        while True:
            await request.send_events(b"data: " + b"x" * 100_000 + b"\n\n")
            # Sending to a caller that has left returns at once; only what runs beside it ends this.
            await asyncio.sleep(0)


async def linger(request: Request) -> None:
    """Answer, and go on for a while with what the caller does not wait for."""
    await request.read_json_body(LIMIT)
    with request.cancelled_when_caller_leaves():
        await request.respond(200, b"{}")
        await asyncio.sleep(0.2)


class Server:
    """A running server: connections to it, and what it has logged."""

    def __init__(self, port: int, output: io.BytesIO) -> None:
        self._port = port
        self._output = output
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=4096)
        self._writers.append(writer)
        return reader, writer

    async def record(self, path: str = "/") -> dict[str, Any]:
        """Wait for the log line of the first request to a path that begins like this."""
        for _ in range(500):
            lines: list[dict[str, Any]] = [json.loads(line) for line in self._output.getvalue().splitlines()]
            for line in lines:
                if line["path"].startswith(path):
                    return line
            await asyncio.sleep(0.01)
        raise AssertionError(f"no request to {path} is in the log")

    async def disconnect(self) -> None:
        for writer in self._writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def running(**rules: float) -> AsyncIterator[Server]:
    output, shutdown = io.BytesIO(), Shutdown()
    routes = {"/echo": {"POST": echo}, "/flood": {"POST": flood}, "/linger": {"POST": linger}}
    application = Application(routes, StructuredLog(output, "info"), Metrics(), set())
    listener = listen("127.0.0.1", 0)
    server = Server(listener.getsockname()[1], output)
    serving = asyncio.create_task(
        serve(
            application,
            listener,
            ConnectionRules(**rules),  # type: ignore[arg-type] # none of them is a truth value
            shutdown,
            lame_duck_seconds=0,
            drain_seconds=0,
        )
    )
    try:
        yield server
    finally:
        await server.disconnect()
        shutdown.announced.set()
        await serving


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    """The answer and then the end of the connection."""
    async with asyncio.timeout(5):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert b"connection: close" in head
    error: dict[str, Any] = json.loads(body)["error"]
    return status, error


async def test_a_head_that_comes_too_slowly() -> None:
    async with running(head_seconds=0.1) as server:
        reader, writer = await server.connect()
        writer.write(HEAD)
        status, error = await answer(reader)
        assert (status, error["code"]) == (408, "request_timeout")
        assert "0.1 s" in error["message"]


async def test_drops_of_a_head_do_not_extend_its_time() -> None:
    async with running(head_seconds=0.2) as server:
        reader, writer = await server.connect()
        async with asyncio.timeout(2):
            answered = asyncio.create_task(answer(reader))
            writer.write(HEAD)
            while not answered.done():
                writer.write(b"x: 1\r\n")
                await asyncio.sleep(0.02)
            assert (await answered)[0] == 408


async def test_a_connection_without_a_request_is_closed() -> None:
    async with running(head_seconds=0.1) as server, asyncio.timeout(2):
        reader, _ = await server.connect()
        assert await reader.read() == b""


async def test_a_connection_that_has_had_an_answer_may_be_silent() -> None:
    async with running(head_seconds=0.1) as server, asyncio.timeout(2):
        reader, writer = await server.connect()
        for _ in range(2):
            writer.write(HEAD + b"content-length: 2\r\n\r\n{}")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(2) == b"{}"
            await asyncio.sleep(0.3)
        writer.write(HEAD)
        assert (await answer(reader))[0] == 408


@pytest.mark.parametrize("at_once", [True, False], ids=["in one piece", "in pieces"])
async def test_a_head_that_is_too_large(at_once: bool) -> None:
    async with running(head_bytes=4096) as server:
        reader, writer = await server.connect()
        if at_once:
            writer.write(HEAD + b"x: " + b"y" * 5000 + b"\r\ncontent-length: 2\r\n\r\n{}")
        else:
            writer.write(HEAD)
            for _ in range(10):
                await asyncio.sleep(0.01)
                writer.write(b"y" * 500)
        status, error = await answer(reader)
        assert (status, error["code"]) == (431, "request_header_fields_too_large")
        assert "4096 bytes" in error["message"]


async def test_a_body_does_not_count_as_head() -> None:
    async with running(head_bytes=4096) as server:
        reader, writer = await server.connect()
        body = b'"' + b"x" * 100_000 + b'"'
        for _ in range(2):
            writer.write(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(len(body)) == body


async def test_what_is_not_http_is_told_so_in_the_shape_of_all_errors() -> None:
    async with running() as server:
        reader, writer = await server.connect()
        writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        status, error = await answer(reader)
        assert (status, error["code"]) == (400, "invalid_http")


async def test_noise_after_a_request_does_not_end_up_in_its_answer() -> None:
    async with running() as server, asyncio.timeout(5):
        reader, writer = await server.connect()
        writer.write(HEAD.replace(b"echo", b"flood") + b"content-length: 2\r\n\r\n{}")
        await reader.readuntil(b"data: ")
        writer.write(b"\x00\x01 noise\r\n\r\n")
        rest = b""
        with suppress(ConnectionResetError):
            while chunk := await reader.read(65536):
                rest += chunk
        assert b"HTTP/1.1" not in rest
        record = await server.record()
        assert record["status"] == 499


async def test_a_body_that_trickles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_module, "_BODY_SECONDS", 0.2)
    async with running() as server:
        reader, writer = await server.connect()
        writer.write(HEAD + b"content-length: 100\r\n\r\n")
        answered = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        async with asyncio.timeout(2):
            while not answered.done():
                writer.write(b" ")
                await asyncio.sleep(0.02)
        assert (await answered).startswith(b"HTTP/1.1 408 ")
        record = await server.record()
        assert (record["status"], record["error_code"]) == (408, "request_timeout")


async def test_a_large_body_has_time_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_module, "_BODY_SECONDS", 0.1)
    monkeypatch.setattr(request_module, "_BODY_BYTES_PER_SECOND", 100_000)
    async with running() as server, asyncio.timeout(5):
        reader, writer = await server.connect()
        writer.write(HEAD + b"content-length: 100000\r\n\r\n")
        for _ in range(10):
            writer.write(b" " * 10_000)
            await asyncio.sleep(0.05)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_a_caller_that_stops_reading_is_disconnected() -> None:
    async with running(write_stall_seconds=0.2) as server:
        reader, writer = await server.connect()
        writer.write(HEAD.replace(b"echo", b"flood") + b"content-length: 2\r\n\r\n{}")
        await reader.readuntil(b"data: ")
        record = await server.record()
        assert (record["status"], record["error_code"]) == (499, "answer_not_read")


async def test_a_caller_that_reads_slowly_is_not() -> None:
    async with running(write_stall_seconds=0.4) as server:
        reader, writer = await server.connect()
        writer.write(HEAD.replace(b"echo", b"flood") + b"content-length: 2\r\n\r\n{}")
        for _ in range(20):
            # Faster than the sockets' buffers fill up again, slower than the server could write.
            await asyncio.sleep(0.05)
            await reader.readexactly(1_000_000)
        writer.close()
        record = await server.record()
        assert (record["status"], record.get("error_code")) == (499, None)


async def test_a_caller_that_leaves_its_second_request_is_noticed() -> None:
    """The first one's handler is still at work when the connection is the second one's."""
    async with running() as server:
        reader, writer = await server.connect()
        writer.write(HEAD.replace(b"/echo", b"/linger") + b"content-length: 2\r\n\r\n{}")
        await reader.readuntil(b"{}")
        writer.write(HEAD.replace(b"/echo", b"/flood") + b"content-length: 2\r\n\r\n{}")
        await reader.readuntil(b"data: ")
        await asyncio.sleep(0.3)
        writer.transport.abort()
        assert (await server.record("/flood"))["status"] == 499


async def test_of_requests_sent_ahead_the_one_being_answered_is_told_about_the_caller(
    caplog: pytest.LogCaptureFixture,
) -> None:
    flood = HEAD.replace(b"/echo", b"/flood") + b"content-length: 2\r\n\r\n{}"
    async with running() as server:
        reader, writer = await server.connect()
        writer.write(flood * 2)
        await reader.readuntil(b"data: ")
        writer.transport.abort()
        record = await server.record()
    assert (record["status"], record.get("error_code")) == (499, None)
    async with running(write_stall_seconds=0.2) as server:
        reader, writer = await server.connect()
        writer.write(flood * 2)
        await reader.readuntil(b"data: ")
        record = await server.record()
    assert (record["status"], record["error_code"]) == (499, "answer_not_read")
    assert not caplog.records


async def test_a_connection_that_is_reset_leaves_nothing_behind() -> None:
    async with running() as server:
        reader, writer = await server.connect()
        writer.write(HEAD + b"content-length: 2\r\n\r\n{}")
        await reader.readuntil(b"{}")
        connected = writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await asyncio.sleep(0.1)
        gc.collect()
        # By its type: isinstance() makes modules load that wait for being looked at.
        assert not [thing for thing in gc.get_objects() if type(thing) is Connection]
