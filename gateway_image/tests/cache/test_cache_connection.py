"""The client for the cache: one connection for all requests, and what happens when it breaks."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cache.connection import Cache
from gateway.cache.errors import CacheReplyError, CacheUnavailableError
from gateway.reachability import UnreachableError

pytestmark = pytest.mark.anyio

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def reaches(cache: Cache) -> bool:
    connecting = asyncio.create_task(cache.stay_connected())
    try:
        await cache.ping()
    except UnreachableError:
        return False
    finally:
        connecting.cancel()
    return True


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """Starts servers at localhost; returns the port."""
    servers: list[asyncio.Server] = []

    async def start(answer: Serve, tls: ssl.SSLContext | None = None) -> int:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await answer(reader, writer)
            except OSError:
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(connected, "localhost", 0, family=2, ssl=tls)
        servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    yield start
    for server in servers:
        server.close()


async def test_what_is_reachable(shared_valkey: Any, make_settings: Any) -> None:
    port = shared_valkey.port
    assert await reaches(Cache(make_settings(cache_port=port, cache_tls=False)))
    assert not await reaches(Cache(make_settings(cache_port=port, cache_tls=False, cache_password="wrong")))
    assert not await reaches(Cache(make_settings(cache_port=1, cache_tls=False)))
    assert not await reaches(Cache(make_settings(cache_host="no such host", cache_tls=False)))


async def test_the_certificate_is_checked(
    serve: Any,
    shared_valkey: Any,
    make_settings: Any,
    server_tls: ssl.SSLContext,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def terminate_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_connection("localhost", shared_valkey.port)
        await asyncio.gather(pass_on(reader, behind[1]), pass_on(behind[0], writer))

    port = await serve(terminate_tls, server_tls)
    assert not await reaches(Cache(make_settings(cache_port=port)))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert await reaches(Cache(make_settings(cache_port=port)))
    assert not await reaches(Cache(make_settings(cache_port=port, cache_host="127.0.0.1")))


async def test_every_command_gets_its_own_reply(connect: Any) -> None:
    cache = await connect()
    replies = await asyncio.gather(*(cache.send("ECHO", number) for number in range(1000)))
    assert replies == [b"%d" % number for number in range(1000)]


async def test_a_command_that_is_given_up_does_not_shift_the_replies(connect: Any) -> None:
    cache = await connect()
    given_up, kept = cache.send("ECHO", "given up"), cache.send("ECHO", "kept")
    given_up.cancel()
    assert await kept == b"kept"


async def test_an_error_is_one_commands_own(connect: Any) -> None:
    cache = await connect()
    wrong, right = cache.send("INCR", "elsewhere"), cache.send("ECHO", "right")
    with pytest.raises(CacheReplyError, match="NOPERM"):
        await wrong
    assert await right == b"right"


async def test_a_cache_that_dies_fails_what_waits_and_what_comes_at_once(
    valkey: Any, connect: Any, until_connected: Any
) -> None:
    cache = await connect()
    valkey.freeze()
    waiting = [cache.send("INCR", "gatehouse:counter") for _ in range(100)]
    await asyncio.sleep(0.05)
    died = time.monotonic()
    valkey.kill()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(type(result) is CacheUnavailableError for result in results)
    with pytest.raises(CacheUnavailableError):
        cache.send("PING")
    assert time.monotonic() - died < 0.2
    valkey.start()
    await until_connected(cache)
    # Whether a command ran is not known when its connection breaks, so none is sent again.
    assert await cache.send("GET", "gatehouse:counter") is None


async def test_a_cache_that_hangs_is_given_up(valkey: Any, connect: Any, until_connected: Any) -> None:
    cache = await connect()
    valkey.freeze()
    began = time.monotonic()
    with pytest.raises(CacheUnavailableError, match="does not reply"):
        await cache.send("PING")
    assert 0.2 < time.monotonic() - began < 1
    valkey.thaw()
    await until_connected(cache)


async def test_a_busy_process_does_not_take_a_cache_for_hanging(connect: Any) -> None:
    cache = await connect()
    reply = cache.send("PING")
    time.sleep(1)  # noqa: ASYNC251 (this is the point)
    assert await reply == b"PONG"


async def test_a_reply_that_is_overdue_fails_its_command_alone(
    serve: Any, make_settings: Any, until: Any
) -> None:
    """A server that answers all, but takes longer and longer, is no server that hangs."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(2**16)
        writer.write(b"%0\r\n")
        seconds = 0.0
        while received := await reader.read(2**16):
            replies = b"+PONG\r\n" * received.count(b"PING")
            asyncio.get_running_loop().call_later(seconds, writer.write, replies)
            seconds = min(seconds + 0.03, 1.2)

    cache = Cache(make_settings(cache_port=await serve(answer), cache_tls=False))
    connection = asyncio.create_task(cache.stay_connected())
    late: list[bytes] = []
    await cache.ping()
    commands = []
    for _ in range(60):
        commands.append(cache.send("PING", on_late=late.append))
        await asyncio.sleep(0.05)
    results = await asyncio.gather(*commands, return_exceptions=True)
    failed = [str(result) for result in results if isinstance(result, CacheUnavailableError)]
    assert set(failed) == {"the cache does not reply in time"}
    await until(lambda: len(late) == len(failed))
    connection.cancel()
    await asyncio.wait([connection])


async def test_an_idle_connection_is_kept(connect: Any) -> None:
    cache = await connect()
    number = await cache.send("CLIENT", "ID")
    await asyncio.sleep(0.6)
    assert await cache.send("CLIENT", "ID") == number


async def test_memory_does_not_fill_with_what_a_hanging_cache_does_not_take(
    valkey: Any, connect: Any, until: Any
) -> None:
    cache = await connect()
    valkey.freeze()
    megabyte = bytes(2**20)
    for _ in range(30):
        cache.post("SET", "gatehouse:large", megabyte)
    assert cache._session._transport.get_write_buffer_size() < 10 * 2**20
    with pytest.raises(CacheUnavailableError, match="does not take more"):
        cache.send("PING")
    valkey.kill()
    await until(lambda: cache._session is None)


async def test_a_primary_that_became_a_replica_is_left(
    valkey: Any, connect: Any, until_connected: Any
) -> None:
    cache = await connect()
    number = await cache.send("CLIENT", "ID")
    await cache.send("REPLICAOF", "127.0.0.1", 1)
    with pytest.raises(CacheReplyError, match="READONLY"):
        await cache.send("SET", "gatehouse:key", "value")
    await until_connected(cache)
    assert await cache.send("CLIENT", "ID") > number
    await cache.send("REPLICAOF", "NO", "ONE")
    assert await cache.send("SET", "gatehouse:key", "value") == b"OK"


async def test_scripts_are_there_at_every_connection(
    valkey: Any, connect: Any, cache_settings: Any, until_connected: Any
) -> None:
    cache = Cache(cache_settings)
    script = cache.add_script("return 7")
    await connect(cache)
    assert await cache.send("EVALSHA", script, 0) == 7
    valkey.kill()
    valkey.start()
    await until_connected(cache)
    assert await cache.send("EVALSHA", script, 0) == 7
    await cache.send("SCRIPT", "FLUSH")
    with pytest.raises(CacheReplyError, match="NOSCRIPT"):
        await cache.send("EVALSHA", script, 0)
    await until_connected(cache)
    assert await cache.send("EVALSHA", script, 0) == 7


async def test_messages_arrive_between_replies(
    valkey: Any, connect: Any, cache_settings: Any, until_connected: Any
) -> None:
    heard: list[bytes] = []
    connections = 0

    async def count() -> None:
        nonlocal connections
        await cache.send("PING")
        connections += 1

    cache = Cache(cache_settings)
    cache.subscribe("gatehouse:channel", heard.append, count)
    await connect(cache)
    replies = await asyncio.gather(
        *(
            cache.send(*words)
            for n in range(100)
            for words in (("PUBLISH", "gatehouse:channel", n), ("ECHO", n))
        )
    )
    assert replies == [reply for n in range(100) for reply in (1, b"%d" % n)]
    assert heard == [b"%d" % n for n in range(100)]
    valkey.kill()
    valkey.start()
    await until_connected(cache)
    assert await cache.send("PUBLISH", "gatehouse:channel", "again") == 1
    assert heard[-1] == b"again"
    assert connections == 2


@pytest.mark.parametrize("nonsense", [b"nonsense\r\n", b"+PONG\r\n+nobody asked\r\n", b":1" * 40_000])
async def test_nonsense_ends_the_connection(
    serve: Any, connect: Any, make_settings: Any, nonsense: bytes, until: Any, until_connected: Any
) -> None:
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while command := await reader.read(65_536):
            sane = b"%0\r\n" if b"HELLO" in command else b"+PONG\r\n"
            writer.write(sane if connections > 1 or b"HELLO" in command else nonsense)

    cache = await connect(Cache(make_settings(cache_port=await serve(answer), cache_tls=False)))
    await until(lambda: connections > 1)
    await until_connected(cache)


async def test_the_password_is_in_no_message(serve: Any, make_settings: Any) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        words = b" ".join((await reader.read(65_536)).split()[2::2])
        writer.write(b"-ERR unknown command, with args beginning with: %s\r\n" % words)
        await reader.read()

    settings = make_settings(cache_port=await serve(answer), cache_tls=False)
    cache = Cache(settings)
    connecting = asyncio.create_task(cache.stay_connected())
    with pytest.raises(UnreachableError) as raised:
        await cache.ping()
    connecting.cancel()
    assert str(raised.value) == "ERR"
