"""How answers leave a connection: in as few pieces as can be, and as HTTP says."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import cast

import pytest
from uvicorn.server import ServerState

from gateway.connection import Connection, ConnectionRules, ServerConfig
from gateway.request import CONNECTION, Message, Receive, Send

pytestmark = pytest.mark.anyio

Application = Callable[[Message, Receive, Send], Awaitable[None]]

_LENGTH = (b"content-length", b"5")
_REQUEST = b"GET / HTTP/1.1\r\nhost: gateway\r\n\r\n"


class Transport:
    """A caller's end that takes all that is written at once."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False
        self.on_write: Callable[[], None] | None = None

    def write(self, data: bytes) -> None:
        if data:
            self.written.append(data)
        if self.on_write is not None:
            self.on_write()

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def get_extra_info(self, _name: str) -> None:
        return None

    def pause_reading(self) -> None:
        """Nothing more comes."""

    def resume_reading(self) -> None:
        """Nothing more comes."""


def start(*headers: tuple[bytes, bytes], status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def piece(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def served(application: Application, *, request: bytes = _REQUEST) -> Transport:
    """What is written when an application answers a request."""
    config = ServerConfig(application, http=Connection, ws="none", lifespan="off", log_config=None)
    config.rules = ConnectionRules()
    config.load()
    transport = Transport()
    connection = Connection(config, ServerState(), {})
    connection.connection_made(cast(asyncio.Transport, transport))
    connection.data_received(request)
    while connection.tasks:
        await asyncio.gather(*connection.tasks)
        # Tasks that are done leave the set in the next turn.
        await asyncio.sleep(0)
    connection.connection_lost(None)
    return transport


async def answered(messages: Iterable[Message], *, request: bytes = _REQUEST) -> Transport:
    """What is written when an application answers a request with these messages."""

    async def application(_scope: Message, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return await served(application, request=request)


async def test_a_whole_answer_leaves_in_one_piece_and_the_connection_stays() -> None:
    transport = await answered([start(_LENGTH, (b"x-name", b"value")), piece(b"whole")])
    assert transport.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-name: value\r\n\r\nwhole"]


async def test_the_first_events_of_a_stream_leave_with_its_head() -> None:
    transport = await answered([start(), piece(b"first", more=True), piece(b"next", more=True), piece(b"")])
    assert transport.written == [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n",
        b"4\r\nnext\r\n",
        b"0\r\n\r\n",
    ]


async def test_an_empty_first_piece_does_not_end_a_stream() -> None:
    transport = await answered([start(), piece(b"", more=True), piece(b"next", more=True), piece(b"")])
    _, body = b"".join(transport.written).split(b"\r\n\r\n", 1)
    assert body == b"4\r\nnext\r\n0\r\n\r\n"


async def test_a_caller_that_wants_the_connection_closed_is_told_so() -> None:
    request = _REQUEST.replace(b"host", b"connection: close\r\nhost")
    transport = await answered([start(_LENGTH), piece(b"whole")], request=request)
    (written,) = transport.written
    assert written.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in written
    assert transport.closed


async def test_the_answer_to_head_has_no_body() -> None:
    transport = await answered([start(_LENGTH), piece(b"whole")], request=_REQUEST.replace(b"GET", b"HEAD"))
    assert b"".join(transport.written) == b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"


async def test_an_answer_without_a_body_has_none() -> None:
    transport = await answered([start(status=304), piece(b"")])
    assert b"".join(transport.written) == b"HTTP/1.1 304 Not Modified\r\n\r\n"


@pytest.mark.parametrize("value", [b"a\r\nx: y", b"a\nx: y", b"a\rb"])
async def test_no_header_breaks_out_of_its_line(value: bytes) -> None:
    transport = await answered([start(_LENGTH, (b"x-name", value)), piece(b"whole")])
    written = b"".join(transport.written)
    assert written.startswith(b"HTTP/1.1 500 ")
    assert value not in written


async def test_answers_to_requests_sent_ahead_come_one_after_the_other() -> None:
    transport = await answered([start(_LENGTH), piece(b"whole")], request=_REQUEST * 2)
    assert transport.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole"] * 2


async def test_a_large_body_is_not_copied_to_leave_with_its_head() -> None:
    body = b"x" * 1_000_000
    transport = await answered([start((b"content-length", b"1000000")), piece(body)])
    assert transport.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", body]


async def test_what_is_sent_as_a_whole_is_done_before_it_is_read() -> None:
    """A caller that takes its time to read does not keep a request running."""

    async def application(scope: Message, _receive: Receive, send: Send) -> None:
        connection = scope["state"][CONNECTION]
        connection.transport.on_write = connection.pause_writing
        await send(start(_LENGTH))
        sending = asyncio.ensure_future(send(piece(b"whole")))
        await asyncio.sleep(0)
        done.append(sending.done())
        connection.resume_writing()
        await sending

    done: list[bool] = []
    transport = await served(application)
    assert transport.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole"]
    assert done == [True]


async def test_who_gives_up_waiting_for_a_reader_still_has_a_head_to_send() -> None:
    """So a process that ends can say so: the caller has not read the answer before this one."""

    async def application(scope: Message, _receive: Receive, send: Send) -> None:
        connection = scope["state"][CONNECTION]
        connection.pause_writing()
        await send(start(_LENGTH))
        sending = asyncio.ensure_future(send(piece(b"whole")))
        await asyncio.sleep(0)
        sending.cancel()
        await asyncio.wait({sending})
        written.extend(connection.transport.written)
        connection.resume_writing()
        await send(piece(b"ended"))

    written: list[bytes] = []
    transport = await served(application)
    assert not written
    assert transport.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nended"]


async def test_a_body_longer_than_its_head_says_is_not_sent() -> None:
    """The rest would be read as the next answer."""
    transport = await answered([start(_LENGTH), piece(b"too long")])
    assert not transport.written
    assert transport.closed


async def test_who_has_its_answer_is_not_asked_to_go_on_with_its_body() -> None:
    async def application(_scope: Message, receive: Receive, send: Send) -> None:
        await send(start(_LENGTH))
        await send(piece(b"whole"))
        await receive()

    expecting = b"\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n"
    request = _REQUEST.replace(b"GET", b"POST").replace(b"\r\n\r\n", expecting)
    transport = await served(application, request=request)
    assert transport.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole"]
