"""The way between regions and the public name, as a drill breaks them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from local.drill.names import PublicName, Resolver
from local.drill.relay import Relay
from local.throwaway_servers import free_port


@asynccontextmanager
async def echoed_through() -> AsyncIterator[Relay]:
    """A relay to a server that answers with what it is sent."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    # The first one takes no connections: the next is asked.
    relay = Relay(free_port(), [free_port(), server.sockets[0].getsockname()[1]])
    await relay.start()
    try:
        yield relay
    finally:
        await relay.cut()
        server.close()


async def connect(relay: Relay) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", relay.port)


def test_what_falls_silent_loses_nothing_and_goes_on() -> None:
    async def scenario() -> None:
        async with echoed_through() as relay:
            reader, writer = await connect(relay)
            writer.write(b"before")
            assert await reader.readexactly(6) == b"before"
            relay.fall_silent()
            writer.write(b"during")
            late_reader, late_writer = await connect(relay)
            late_writer.write(b"new")
            answers = [
                asyncio.ensure_future(reader.readexactly(6)),
                asyncio.ensure_future(late_reader.readexactly(3)),
            ]
            # Long enough for an answer, if anything let one through.
            assert (await asyncio.wait(answers, timeout=0.1))[0] == set()
            relay.flow()
            assert await asyncio.gather(*answers) == [b"during", b"new"]
            for each in (writer, late_writer):
                each.close()

    asyncio.run(scenario())


def test_what_is_cut_is_dropped_and_refused() -> None:
    async def scenario() -> None:
        async with echoed_through() as relay:
            reader, writer = await connect(relay)
            writer.write(b"before")
            assert await reader.readexactly(6) == b"before"
            await relay.cut()
            assert not relay.listens
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
            with pytest.raises(ConnectionRefusedError):
                await connect(relay)
            await relay.start()
            reader, again = await connect(relay)
            again.write(b"after")
            assert await reader.readexactly(5) == b"after"
            for each in (writer, again):
                each.close()

    asyncio.run(scenario())


def test_what_is_late_arrives_in_its_order_after_the_delay() -> None:
    async def scenario() -> None:
        async with echoed_through() as relay:
            relay.late_seconds = 0.1
            reader, writer = await connect(relay)
            sent = asyncio.get_running_loop().time()
            for each in (b"1", b"2", b"3"):
                writer.write(each)
                await writer.drain()
            assert await reader.readexactly(3) == b"123"
            assert asyncio.get_running_loop().time() - sent >= 0.1
            writer.close()

    asyncio.run(scenario())


def test_a_name_is_believed_for_its_time_to_live() -> None:
    name = PublicName("http://primary", ttl_seconds=3600)
    caller = Resolver(name)
    assert caller.url() == "http://primary"
    name.fail_over("http://standby")
    assert caller.url() == "http://primary"
    assert Resolver(name).url() == "http://standby"


def test_a_name_that_is_held_does_not_follow_health_checks() -> None:
    name = PublicName("http://primary", ttl_seconds=0)
    name.fail_over("http://standby")
    assert Resolver(name).url() == "http://standby"
    name.hold("http://primary")
    name.fail_over("http://standby")
    assert Resolver(name).url() == "http://primary"
