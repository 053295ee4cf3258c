"""The client against real connections: what the gateway relies on, whichever library does it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from gateway.http_client import HttpClient, HttpConnectError, HttpError

pytestmark = pytest.mark.anyio

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
StartTcpServer = Callable[[Serve], Awaitable[str]]


@pytest.fixture
async def start_tcp_server() -> AsyncIterator[StartTcpServer]:
    """Starts servers that speak HTTP by hand; returns their URL."""
    servers: list[asyncio.Server] = []

    async def start(serve: Serve) -> str:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await serve(reader, writer)
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


async def test_what_is_sent_is_what_was_signed(http: HttpClient, start_tcp_server: StartTcpServer) -> None:
    seen = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.extend(await reader.readuntil(b"\r\n\r\n"))
        seen.extend(await reader.readexactly(2))
        writer.write(b"HTTP/1.1 201 Created\r\nX-Thing: a\r\ncontent-length: 3\r\n\r\nyes")

    url = await start_tcp_server(serve) + "/model/us.x-v1%3A0/arn%2Fy/converse?token=a%2Bb%3D"
    response = await http.send("POST", url, headers={"x-one": "1"}, body=b"hi", connect_seconds=1)
    assert (response.status, response.headers["x-thing"], response.body) == (201, "a", b"yes")
    request, *headers = bytes(seen).decode().lower().split("\r\n")
    assert request == "post /model/us.x-v1%3a0/arn%2fy/converse?token=a%2bb%3d http/1.1"
    assert "x-one: 1" in headers
    assert f"host: {url.split('/')[2]}" in headers
    assert not [line for line in headers if line.startswith(("accept-encoding", "content-type", "cookie"))]


async def test_chunks_arrive_one_by_one(http: HttpClient, start_tcp_server: StartTcpServer) -> None:
    next_chunk = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await next_chunk.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    url = await start_tcp_server(serve)
    async with http.stream("POST", url, headers={}, body=b"", connect_seconds=1) as response:
        assert await asyncio.wait_for(response.read_chunk(), 1) == b"one"
        next_chunk.set()
        assert await response.read_chunk() == b"two"
        assert await response.read_chunk() == b""


async def test_a_connection_serves_again(http: HttpClient, start_tcp_server: StartTcpServer) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n")

    url = await start_tcp_server(serve)
    for _ in range(2):
        async with http.stream("GET", url, headers={}, body=b"", connect_seconds=1) as response:
            assert await response.read_all() == b"one"
    assert connections == 1


@pytest.mark.parametrize("begun", [False, True])
async def test_cancelling_closes_the_connection(
    http: HttpClient, start_tcp_server: StartTcpServer, begun: bool
) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if begun:
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        asked.set()
        assert await reader.read() == b""
        closed.set()

    url = await start_tcp_server(serve)
    call = asyncio.create_task(http.send("POST", url, headers={}, connect_seconds=1))
    await asked.wait()
    await asyncio.sleep(0.05)
    call.cancel()
    await asyncio.wait_for(closed.wait(), 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\ncut",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\ncut",
    ],
)
async def test_a_broken_answer(http: HttpClient, start_tcp_server: StartTcpServer, answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    url = await start_tcp_server(serve)
    with pytest.raises(HttpError) as caught:
        await http.send("POST", url, headers={}, connect_seconds=1)
    assert not isinstance(caught.value, HttpConnectError)


async def test_no_connection(http: HttpClient) -> None:
    with pytest.raises(HttpConnectError):
        await http.send("GET", "http://127.0.0.1:1/", headers={}, connect_seconds=1)
