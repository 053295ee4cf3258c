"""Calls on their way to providers and back."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.request import CallerLeftError

pytestmark = pytest.mark.anyio

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
StartTcpServer = Callable[[Serve], Awaitable[str]]

STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"3\r\nend\r\n"


async def test_what_the_provider_says_is_passed_on_until_its_end(
    start_gateway: Any, new_person: Any, start_tcp_server: StartTcpServer
) -> None:
    """What it sends after that is neither passed on nor waited for."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(STREAM + b"3\r\none\r\n" + END)
        with suppress(OSError):
            while True:
                await asyncio.sleep(0.05)
                writer.write(b"4\r\nmore\r\n")
                await writer.drain()

    person, gateway = new_person(), start_gateway(await start_tcp_server(serve))
    await asyncio.wait_for(gateway.answer(person, stream=True), 1)
    assert person.body == b"oneend"
    assert gateway.in_flight == [0]


async def test_another_deployment_answers_only_until_the_answer_has_begun(
    start_gateway: Any, new_person: Any, start_tcp_server: StartTcpServer
) -> None:
    def server(*chunks: bytes) -> Serve:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(STREAM)
            for chunk in chunks:
                await asyncio.sleep(0.05)
                writer.write(b"3\r\n" + chunk + b"\r\n")

        return serve

    at_once = await start_tcp_server(server(b"bad"))
    midway = await start_tcp_server(server(b"one", b"bad"))
    never = await start_tcp_server(server(b"two", b"end"))
    person, gateway = new_person(), start_gateway(at_once, never)
    await gateway.answer(person, stream=True)
    assert person.body == b"twoend"
    assert person.request.record.failed_attempts == ["d0: broken"]

    person, gateway = new_person(), start_gateway(midway, never)
    with pytest.raises(GatewayError, match="it broke"):
        await gateway.answer(person, stream=True)
    assert b"two" not in person.body
    assert gateway.in_flight == [0, 0]


async def test_a_caller_that_reads_slowly_is_not_held_against_the_provider(
    start_gateway: Any, new_person: Any, start_tcp_server: StartTcpServer
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(STREAM + b"3\r\none\r\n")
        await asyncio.sleep(0.5)
        writer.write(END + b"0\r\n\r\n")

    gateway = start_gateway(await start_tcp_server(serve), first_byte_seconds=0.3, between_chunks_seconds=0.3)
    person = new_person()
    person.reading_seconds = 0.4
    await gateway.answer(person, stream=True)
    assert person.body == b"oneend"


@pytest.mark.parametrize("begun", [False, True])
async def test_a_caller_that_leaves_ends_the_call(
    start_gateway: Any, new_person: Any, start_tcp_server: StartTcpServer, begun: bool
) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(STREAM + (b"3\r\none\r\n" if begun else b""))
        asked.set()
        await reader.read()
        closed.set()

    person, gateway = new_person(), start_gateway(await start_tcp_server(serve))
    answering = asyncio.create_task(gateway.answer(person, stream=True))
    await asked.wait()
    await asyncio.sleep(0.05)
    assert gateway.in_flight == [1]
    person.leave()
    with pytest.raises(CallerLeftError):
        await answering
    assert gateway.in_flight == [0]
    await asyncio.wait_for(closed.wait(), 1)


async def test_a_fault_of_the_gateway_leaves_nothing_under_way(
    start_gateway: Any, new_person: Any, provider: Any
) -> None:
    provider.problem = RecursionError("too deep")
    gateway = start_gateway("http://127.0.0.1:1")
    with pytest.raises(RecursionError):
        await gateway.answer(new_person(), stream=False)
    assert gateway.in_flight == [0]
