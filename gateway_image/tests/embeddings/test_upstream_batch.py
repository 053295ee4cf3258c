"""Requests that answer one call together: side by side, in order, all or nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import pytest
from aiohttp import web

from gateway.catalog import TimeLimits
from gateway.errors import GatewayError
from gateway.http_client import HttpClient
from gateway.providers import Usage
from gateway.providers.interface import UpstreamBatch, UpstreamPart
from gateway.token_estimate import estimate
from gateway.upstream import Upstream

StartServer = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]

pytestmark = pytest.mark.anyio


def _read(headers: Mapping[str, str], body: bytes) -> tuple[bytes, Usage | None]:
    return body, Usage(input_tokens=int(headers["x-tokens"]))


def _join(parts: Sequence[bytes], usage: Usage) -> bytes:
    return b"%b:%d" % (b",".join(parts), usage.input_tokens)


def _read_error(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    return GatewayError(status, body.decode(), type="api_error")


def _batch(url: str, count: int) -> UpstreamBatch:
    def parts() -> Iterator[UpstreamPart]:
        for index in range(count):
            yield UpstreamPart(url=f"{url}/{index}", headers={}, body=b"%d" % index, read=_read)

    return UpstreamBatch(parts=parts(), join=_join, read_error=_read_error, request_id_header="x-id")


async def test_answers_come_in_the_order_of_the_requests(http: HttpClient, start_server: StartServer) -> None:
    most = running = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal most, running
        running += 1
        most = max(most, running)
        index = int(await request.read())
        await asyncio.sleep(0.02 if index % 3 == 0 else 0.001)
        running -= 1
        return web.Response(body=b"<%d>" % index, headers={"x-tokens": "2", "x-id": f"id-{index}"})

    batch = _batch(await start_server(answer), 30)
    body, usage, request_id = await Upstream(http).fetch_batch(batch, TimeLimits(), seconds=5)
    assert body == b",".join(b"<%d>" % index for index in range(30)) + b":60"
    assert usage == Usage(input_tokens=60)
    assert (request_id or "").startswith("id-")
    assert 2 <= most <= 8


async def test_one_failure_ends_the_batch(http: HttpClient, start_server: StartServer) -> None:
    asked: list[int] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        index = int(await request.read())
        asked.append(index)
        if index == 5:
            return web.Response(status=429, text="slow down")
        await asyncio.sleep(0.05)
        return web.Response(body=b"x", headers={"x-tokens": "1"})

    batch = _batch(await start_server(answer), 100)
    with pytest.raises(GatewayError, match="slow down") as caught:
        await Upstream(http).fetch_batch(batch, TimeLimits(), seconds=5)
    assert caught.value.status == 429
    assert len(asked) <= 16


async def test_what_was_answered_before_a_failure_has_been_paid_for(
    http: HttpClient, start_server: StartServer
) -> None:
    answered = asyncio.Event()
    waiting = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal waiting
        if int(await request.read()) < 3:
            return web.Response(body=b"x", headers={"x-tokens": "100"})
        # All eight requests at a time fail to come back, so that those before them have.
        waiting += 1
        if waiting == 8:
            answered.set()
        await answered.wait()
        return web.Response(status=503, text="gone")

    batch = _batch(await start_server(answer), 40)
    with pytest.raises(GatewayError, match="gone") as caught:
        await Upstream(http).fetch_batch(batch, TimeLimits(), seconds=30)
    assert caught.value.usage == Usage(input_tokens=300)


async def test_what_was_answered_before_the_time_ran_out_has_been_paid_for(
    http: HttpClient, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[asyncio.Timeout] = []
    timeout = asyncio.timeout

    def remembered(seconds: float | None) -> asyncio.Timeout:
        timers.append(timeout(seconds))
        return timers[-1]

    async def answer(request: web.Request) -> web.StreamResponse:
        if int(await request.read()) == 0:
            return web.Response(body=b"x", headers={"x-tokens": "100"})
        await asyncio.Event().wait()
        raise AssertionError

    def read(headers: Mapping[str, str], body: bytes) -> tuple[bytes, Usage | None]:
        # The batch's own timer, the first to be set, runs out as soon as this answer is in.
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: timers[0].reschedule(loop.time()))
        return _read(headers, body)

    batch = _batch(await start_server(answer), 40)
    batch = replace(batch, parts=(replace(part, read=read) for part in batch.parts))
    monkeypatch.setattr(asyncio, "timeout", remembered)
    with pytest.raises(GatewayError) as caught:
        await Upstream(http).fetch_batch(batch, TimeLimits(), seconds=60)
    assert caught.value.code == "upstream_timeout"
    assert caught.value.usage == Usage(input_tokens=100)


async def test_an_answer_that_cannot_be_read_is_counted_by_what_it_tells(
    http: HttpClient, start_server: StartServer
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x")

    def read(headers: Mapping[str, str], body: bytes) -> tuple[bytes, Usage | None]:
        error = GatewayError(502, "unreadable", type="api_error")
        error.usage = Usage(input_tokens=7)
        raise error

    parts = iter([UpstreamPart(url=await start_server(answer), headers={}, body=b"0", read=read)])
    batch = UpstreamBatch(parts=parts, join=_join, read_error=_read_error, request_id_header="x-id")
    with pytest.raises(GatewayError, match="unreadable") as caught:
        await Upstream(http).fetch_batch(batch, TimeLimits(), seconds=30)
    assert caught.value.usage == Usage(input_tokens=7)


async def test_tokens_that_are_not_told_are_estimated(http: HttpClient, start_server: StartServer) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x")

    def parts(url: str) -> Iterator[UpstreamPart]:
        for index in range(2):
            yield UpstreamPart(
                url=url, headers={}, body=b"word " * (index + 1), read=lambda headers, body: (body, None)
            )

    batch = UpstreamBatch(
        parts=parts(await start_server(answer)),
        join=_join,
        read_error=_read_error,
        request_id_header="x-id",
    )
    _, usage, _ = await Upstream(http).fetch_batch(batch, TimeLimits(), seconds=30)
    assert usage == Usage(input_tokens=estimate(b"word ") + estimate(b"word word "))


async def test_all_answers_share_one_time_limit(http: HttpClient, start_server: StartServer) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.06)
        return web.Response(body=b"x", headers={"x-tokens": "1"})

    batch = _batch(await start_server(answer), 50)
    with pytest.raises(GatewayError) as caught:
        await Upstream(http).fetch_batch(batch, TimeLimits(), seconds=0.15)
    assert (caught.value.status, caught.value.code) == (504, "upstream_timeout")


async def test_a_provider_out_of_reach(http: HttpClient) -> None:
    with pytest.raises(GatewayError) as caught:
        await Upstream(http).fetch_batch(_batch("http://127.0.0.1:1", 3), TimeLimits(), seconds=5)
    assert caught.value.code == "upstream_unreachable"
