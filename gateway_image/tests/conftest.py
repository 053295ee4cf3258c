"""Helpers of the gateway's tests."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from gateway.http_client import HttpClient

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
StartServer = Callable[[Answer], Awaitable[str]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


@pytest.fixture
async def start_server() -> AsyncIterator[StartServer]:
    """Starts HTTP servers on loopback that answer every request with one function; returns their URL."""
    runners: list[web.ServerRunner] = []

    async def start(answer: Answer) -> str:
        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            return await answer(request)  # type: ignore[arg-type]

        runner = web.ServerRunner(web.Server(handler, handler_cancellation=True), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}"

    yield start
    for runner in runners:
        await runner.cleanup()
