"""Requests that answer one call together: side by side, in order, all or nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

import pytest
from aiohttp import web

from gateway.catalog import TimeLimits
from gateway.errors import GatewayError
from gateway.http_client import HttpClient
from gateway.providers import Usage
from gateway.providers.interface import UpstreamBatch, UpstreamPart
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
