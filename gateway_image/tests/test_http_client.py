"""The client against real connections: what the gateway relies on, whichever library does it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.http_client import HttpClient, HttpConnectError, HttpError
from gateway.http_client import connection as connection_module

pytestmark = pytest.mark.anyio

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
StartTcpServer = Callable[[Serve], Awaitable[str]]


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
    async with http.stream("POST", url, headers={}, body=b"", connect_seconds=1, seconds=5) as response:
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
        async with http.stream("GET", url, headers={}, body=b"", connect_seconds=1, seconds=5) as response:
            assert await response.read_all() == b"one"
    assert connections == 1


async def test_a_connection_that_the_peer_gave_up_is_replaced(
    http: HttpClient, start_tcp_server: StartTcpServer
) -> None:
    """A peer may close an idle connection just when the next request is on its way."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes")
        if connections == 1:
            # Reads the next request and closes without a word.
            await reader.readuntil(b"\r\n\r\n")

    url = await start_tcp_server(serve)
    for _ in range(2):
        assert (await http.send("POST", url, headers={}, connect_seconds=1)).body == b"yes"
    assert connections == 2


async def test_a_slow_reader_slows_the_peer_down(http: HttpClient, start_tcp_server: StartTcpServer) -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 64000000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * 64_000)
            await writer.drain()
            sent += 64_000

    url = await start_tcp_server(serve)
    async with http.stream("POST", url, headers={}, body=b"", connect_seconds=1, seconds=5) as response:
        first = await response.read_chunk()
        await asyncio.sleep(0.3)
        assert sent < 32_000_000
        assert len(first) + len(await response.read_all()) == 64_000_000


async def test_an_informational_response_is_not_the_response(
    http: HttpClient, start_tcp_server: StartTcpServer
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes"
        )

    response = await http.send("GET", await start_tcp_server(serve), headers={}, connect_seconds=1)
    assert (response.status, response.body, "link" in response.headers) == (200, b"yes", False)


async def test_a_body_may_last_until_the_connection_closes(
    http: HttpClient, start_tcp_server: StartTcpServer
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nx-a: 1\r\nX-A: 2\r\n\r\nall there is")

    response = await http.send("GET", await start_tcp_server(serve), headers={}, connect_seconds=1)
    assert (response.body, response.headers["x-a"]) == (b"all there is", "1, 2")


async def test_a_line_break_forges_no_header(http: HttpClient, start_tcp_server: StartTcpServer) -> None:
    async def serve(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        raise AssertionError("nothing may be sent")

    url = await start_tcp_server(serve)
    for value in ("a\r\nx-forged: 1", "a\nx-forged: 1", "a\rb"):
        with pytest.raises(HttpError, match="line break"):
            await http.send("POST", url, headers={"x-given": value}, connect_seconds=1)


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
        b"HTTP/1.1 200 OK\r\n" + b"x-long: y\r\n" * 10_000,
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
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


async def test_a_body_to_be_read_at_once_has_a_limit(
    http: HttpClient, start_tcp_server: StartTcpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "_WHOLE_BODY_BYTES", 1_000_000)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 64000000\r\n\r\n" + b"x" * 2_000_000)
        await reader.read()

    with pytest.raises(HttpError, match="larger than 1000000 bytes"):
        await http.send("POST", await start_tcp_server(serve), headers={}, connect_seconds=1)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://127.0.0.1:99999/", "https://[::1", "ftp://a", "/v1"]
)
async def test_no_connection(http: HttpClient, url: str) -> None:
    with pytest.raises(HttpConnectError):
        await http.send("GET", url, headers={}, connect_seconds=1)


async def test_what_nobody_read_is_not_the_next_answer(
    http: HttpClient, start_tcp_server: StartTcpServer
) -> None:
    """A caller may leave when the whole answer has arrived and is still to be read."""
    answers = iter([b"of the first caller", b"second"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(answer) + answer)

    url = await start_tcp_server(serve)
    async with http.stream("POST", url, headers={}, body=b"", connect_seconds=1, seconds=5):
        await asyncio.sleep(0.05)
    assert (await http.send("POST", url, headers={}, connect_seconds=1)).body == b"second"


@pytest.mark.parametrize("more", [b"HTTP/1.1 500 No\r\nx-b: 1\r\ncontent-length: 3\r\n\r\nbad", b"nonsense"])
async def test_what_follows_an_answer_is_no_part_of_it(
    http: HttpClient, start_tcp_server: StartTcpServer, more: bytes
) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes" + more)
        await reader.read()

    url = await start_tcp_server(serve)
    for number in (1, 2):
        response = await http.send("POST", url, headers={}, connect_seconds=1)
        assert (response.status, response.body, "x-b" in response.headers) == (200, b"yes", False)
        assert connections == number


async def test_a_trailer_is_no_header(http: HttpClient, start_tcp_server: StartTcpServer) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-id: 1\r\n\r\n"
        writer.write(head + b"3\r\nyes\r\n0\r\nx-id: 2\r\nx-more: 3\r\n\r\n")

    response = await http.send("GET", await start_tcp_server(serve), headers={}, connect_seconds=1)
    assert (response.body, response.headers["x-id"], "x-more" in response.headers) == (b"yes", "1", False)
