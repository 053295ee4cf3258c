"""A server on a real socket, and what it did."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.application import Application
from gateway.connection import ConnectionRules
from gateway.metrics import Metrics
from gateway.request import Request
from gateway.server import listen, serve
from gateway.shutdown import Shutdown
from gateway.structured_log import StructuredLog
from tests.security import canaries
from tests.security.platform import Platform, running_platform
from tests.security.quoting_provider import catalog, quoting_provider

SECONDS = 20


@dataclass
class Server:
    """A running server. answered: the paths, headers and bodies of the requests it has answered."""

    port: int
    output: io.BytesIO
    answered: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def log(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        return [json.loads(line) for line in self.output.getvalue().splitlines()]

    async def lines(self, number: int) -> list[dict[str, Any]]:
        """Wait until so many lines are in the log."""
        for _ in range(SECONDS * 100):
            if len(self.log()) >= number:
                break
            await asyncio.sleep(0.01)
        return self.log()

    async def send(self, *pieces: bytes, answers_between: bool = False) -> bytes:
        """Send pieces, most likely each as a packet of its own, and return all that comes until the end.

        answers_between: wait for the head of an answer after each piece but the last.
        """
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            received = b""
            try:
                for number, piece in enumerate(pieces, start=1):
                    writer.write(piece)
                    await writer.drain()
                    if answers_between and number < len(pieces):
                        received += await reader.readuntil(b"\r\n\r\n")
                    elif number < len(pieces):
                        await asyncio.sleep(0.02)
                while chunk := await reader.read(65536):
                    received += chunk
            except ConnectionError:
                pass
            finally:
                writer.close()
            return received


@asynccontextmanager
async def running(**rules: float) -> AsyncIterator[Server]:
    """A server that echoes JSON at /echo and answers GET /thing."""
    output, shutdown = io.BytesIO(), Shutdown()
    listener = listen("127.0.0.1", 0)
    server = Server(listener.getsockname()[1], output)

    async def echo(request: Request) -> None:
        body = await request.read_json_body(1_000_000)
        server.answered.append((request.path, dict(request.headers), body))
        await request.respond(200, body)

    async def thing(request: Request) -> None:
        server.answered.append((request.path, dict(request.headers), b""))
        await request.respond(200, b"{}")

    routes = {"/echo": {"POST": echo}, "/thing": {"GET": thing}, "/v1/models/{model}": {"GET": thing}}
    application = Application(routes, StructuredLog(output, "debug"), Metrics(), set())
    serving = asyncio.create_task(
        serve(
            application,
            listener,
            ConnectionRules(**rules),  # type: ignore[arg-type] # none of them is a truth value
            shutdown,
            lame_duck_seconds=0,
            drain_seconds=0,
        )
    )
    try:
        yield server
    finally:
        shutdown.announced.set()
        await serving


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """One platform for all tests that leave it as it is; it logs all it can."""
    settings = {
        "log_level": "debug",
        # Nothing listens there.
        "bedrock_endpoint_url": "http://127.0.0.1:1",
        "image_url_hosts": '["localhost", "images.example.com"]',
        "key_hashing_secret": canaries.HASHING_SECRET,
    }
    environ = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": canaries.AWS_SECRET}
    with (
        quoting_provider() as url,
        running_platform(catalog(url), settings, environ) as running,
    ):
        yield running
