"""What a request is said to have used, however it ended."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.providers import Usage
from gateway.providers.interface import UpstreamBatch, UpstreamPart
from gateway.request import CallerLeftError

pytestmark = pytest.mark.anyio

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
StartTcpServer = Callable[[Serve], Awaitable[str]]

# In nano-USD, by the price of the fixture's deployments.
INPUT, OUTPUT = 1_000, 10_000


def whole(body: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()

    return serve


async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_what_all_attempts_used_is_added_up(
    start_gateway: Any, new_person: Any, provider: Any, start_tcp_server: StartTcpServer
) -> None:
    provider.usage = Usage(input_tokens=5, output_tokens=7, cache_read_tokens=2, reasoning_tokens=3)
    gateway = start_gateway(
        await start_tcp_server(whole(b"useless")), await start_tcp_server(whole(b"a good answer"))
    )
    person = new_person()
    await gateway.answer(person, stream=False)
    record = person.request.record
    assert person.body == b"a good answer"
    assert record.attempts == 2
    assert (record.input_tokens, record.output_tokens, record.cache_read_tokens) == (10, 14, 4)
    assert record.reasoning_tokens == 6
    assert record.tokens == 28
    assert record.cost_nano_usd >= 10 * INPUT + 14 * OUTPUT
    assert not record.usage_estimated


async def test_an_answer_that_is_thrown_away_is_charged_too(
    start_gateway: Any, new_person: Any, provider: Any, start_tcp_server: StartTcpServer
) -> None:
    gateway, person = start_gateway(await start_tcp_server(whole(b"useless"))), new_person()
    with pytest.raises(GatewayError):
        await gateway.answer(person, stream=False)
    # Every attempt of the one deployment was paid for.
    assert person.request.record.input_tokens == person.request.record.attempts


async def test_usage_that_a_provider_does_not_tell_is_estimated(
    start_gateway: Any, new_person: Any, provider: Any, start_tcp_server: StartTcpServer
) -> None:
    provider.usage = None
    gateway, person = start_gateway(await start_tcp_server(whole(b"x" * 400))), new_person()
    await gateway.answer(person, stream=False)
    record = person.request.record
    assert record.usage_estimated
    assert record.output_tokens == 101
    assert record.input_tokens > 0
    assert record.cost_nano_usd > 0


async def test_embeddings_say_nothing_however_long_they_are(
    start_gateway: Any, new_person: Any, provider: Any, start_tcp_server: StartTcpServer
) -> None:
    provider.usage = None
    gateway, person = start_gateway(await start_tcp_server(whole(b"[0.1,0.2]" * 1000))), new_person()
    await gateway.answer(person, stream=False, operation="embeddings")
    record = person.request.record
    assert record.usage_estimated
    assert record.input_tokens > 0
    assert record.output_tokens == 0


async def test_what_was_embedded_before_a_batch_failed_is_charged(
    start_gateway: Any, new_person: Any, provider: Any, start_tcp_server: StartTcpServer
) -> None:
    url = await start_tcp_server(whole(b"an answer"))

    def refuse(_headers: Mapping[str, str], _body: bytes) -> tuple[bytes, Usage | None]:
        error = GatewayError(400, "the second text is too long", type="invalid_request_error")
        error.usage = Usage(input_tokens=7)
        raise error

    provider.batch = UpstreamBatch(
        parts=iter([UpstreamPart(url=url, headers={}, body=b"{}", read=refuse)]),
        join=lambda _items, _usage: b"",
        read_error=lambda status, _headers, _body: GatewayError(status, "", type="api_error"),
        request_id_header="x-id",
    )
    gateway, person = start_gateway(url), new_person()
    with pytest.raises(GatewayError, match="too long"):
        await gateway.answer(person, stream=False, operation="embeddings")
    assert person.request.record.input_tokens == 7
    assert person.request.record.cost_nano_usd == 7 * INPUT


async def test_a_stream_that_says_nothing_has_read_its_prompt(
    start_gateway: Any, new_person: Any, start_tcp_server: StartTcpServer
) -> None:
    gateway, person = start_gateway(await start_tcp_server(whole(b"hush, the end"))), new_person()
    await gateway.answer(person, stream=True)
    record = person.request.record
    assert record.usage_estimated
    assert record.input_tokens > 0
    assert record.output_tokens == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_nobody_waits_for_is_estimated(
    start_gateway: Any, new_person: Any, start_tcp_server: StartTcpServer, stream: bool
) -> None:
    gateway, person = start_gateway(await start_tcp_server(silence)), new_person()
    answering = asyncio.create_task(gateway.answer(person, stream=stream))
    await asyncio.sleep(0.2)
    person.leave()
    with pytest.raises(CallerLeftError):
        await answering
    record = person.request.record
    assert record.usage_estimated
    assert record.input_tokens > 0
    # 100 tokens a second at the most, and it did not wait for long.
    assert 0 < record.output_tokens < 1000
