"""The time limits of the client, against real connections."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from gateway.http_client import HttpClient, HttpTimeoutError

pytestmark = pytest.mark.anyio

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
StartTcpServer = Callable[[Serve], Awaitable[str]]


async def test_one_limit_holds_for_all_attempts_to_send(
    http: HttpClient, start_tcp_server: StartTcpServer
) -> None:
    """Also if an idle connection that the request was sent into breaks late."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        if connections == 1:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.3)
        else:
            await reader.read()

    url = await start_tcp_server(serve)
    await http.send("POST", url, headers={}, connect_seconds=1)
    began = time.monotonic()
    with pytest.raises(HttpTimeoutError):
        await http.send("POST", url, headers={}, connect_seconds=1, seconds=0.5)
    assert connections == 2
    assert time.monotonic() - began < 0.7


async def test_each_wait_is_limited_and_not_the_reader(
    http: HttpClient, start_tcp_server: StartTcpServer
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(4):
            writer.write(b"1\r\nx\r\n")
            await asyncio.sleep(0.1)
        await reader.read()

    url = await start_tcp_server(serve)
    async with http.stream("POST", url, headers={}, body=b"", connect_seconds=1, seconds=5) as response:
        response.limit_each_wait(0.2)
        received = b""
        while len(received) < 3:
            received += await response.read_chunk()
        await asyncio.sleep(0.5)
        assert received + await response.read_chunk() == b"xxxx"
        began = time.monotonic()
        with pytest.raises(HttpTimeoutError):
            await response.read_chunk()
        assert 0.15 < time.monotonic() - began < 0.4


async def test_what_arrived_in_time_is_not_late(http: HttpClient, start_tcp_server: StartTcpServer) -> None:
    """The limit may pass while the answer waits for the event loop to get to its reader."""
    go_on = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await go_on.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    url = await start_tcp_server(serve)
    async with http.stream("POST", url, headers={}, body=b"", connect_seconds=1, seconds=0.2) as response:
        await asyncio.sleep(0.3)
        assert await response.read_chunk() == b"one"
        response.limit_each_wait(1)
        go_on.set()
        assert await response.read_all() == b"two"


async def test_a_body_that_the_limit_cuts_has_not_come_to_its_end(
    http: HttpClient, start_tcp_server: StartTcpServer
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nuntil it closes")
        await reader.read()

    url = await start_tcp_server(serve)
    async with http.stream("POST", url, headers={}, body=b"", connect_seconds=1, seconds=0.2) as response:
        await asyncio.sleep(0.3)
        assert await response.read_chunk() == b"until it closes"
        with pytest.raises(HttpTimeoutError):
            await response.read_chunk()


async def test_what_is_relayed_is_limited_from_one_piece_to_the_next(
    http: HttpClient, start_tcp_server: StartTcpServer
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(8):
            writer.write(b"1\r\nx\r\n")
            await asyncio.sleep(0.2)
        await reader.read()

    url, pieces = await start_tcp_server(serve), list[bytes]()

    def take(piece: bytes) -> bool:
        pieces.append(piece)
        return len(pieces) != 6

    async with http.stream("POST", url, headers={}, body=b"", connect_seconds=1, seconds=5) as response:
        response.limit_each_wait(0.7)
        # The sixth piece is the last that is wanted for now; the others come with the next call.
        assert await response.relay(take)
        assert len(pieces) == 6
        with pytest.raises(HttpTimeoutError):
            await response.relay(take)
        assert b"".join(pieces) == b"x" * 8


async def test_a_relay_ends_with_the_body(http: HttpClient, start_tcp_server: StartTcpServer) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    url, pieces = await start_tcp_server(serve), list[bytes]()

    def take(piece: bytes) -> bool:
        pieces.append(piece)
        return True

    async with http.stream("POST", url, headers={}, body=b"", connect_seconds=1, seconds=5) as response:
        assert not await response.relay(take)
    assert pieces == [b"one", b"two"]
