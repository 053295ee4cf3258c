"""Calls on their way to providers and back, over real connections, with a provider of the test's own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

import pytest

from gateway.admission import Admission
from gateway.answering import Answering
from gateway.api_keys import Caller
from gateway.cache.connection import Cache
from gateway.cache.response_cache import ResponseCache
from gateway.call import Call, Operation
from gateway.catalog import Catalog, OpenAICompatibleDeployment
from gateway.errors import GatewayError, provider_error
from gateway.http_client import HttpClient
from gateway.providers import Usage
from gateway.providers.interface import UpstreamRequest
from gateway.request import CONNECTION, CallerLeftError, Request
from gateway.routing.router import Router
from gateway.routing.states import DeploymentState, States
from gateway.structured_log import StructuredLog
from gateway.upstream import Upstream

pytestmark = pytest.mark.anyio

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
StartTcpServer = Callable[[Serve], Awaitable[str]]

STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"3\r\nend\r\n"


class Translation:
    """Passes chunks on; `end` is the last of an answer, `bad` an error."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.characters = 0
        self.complete = False
        self.error: GatewayError | None = None

    @property
    def content_begun(self) -> bool:
        return self.characters > 0

    def feed(self, chunk: bytes) -> bytes:
        self.complete = b"end" in chunk
        if b"bad" in chunk:
            self.error = provider_error("it broke", code="broken")
            return b""
        self.characters += len(chunk)
        return chunk

    def finish(self) -> bytes:
        self.error = provider_error("cut", code="cut")
        return b""


class Provider:
    """Sends the body as it is; raises what a test sets."""

    problem: Exception | None = None

    def operations(self, _deployment: OpenAICompatibleDeployment) -> frozenset[Operation]:
        return frozenset({"chat_completions"})

    def prepare(
        self, deployment: OpenAICompatibleDeployment, call: Call, *, max_output_tokens: int
    ) -> UpstreamRequest:
        if self.problem is not None:
            raise self.problem
        return UpstreamRequest(
            url=deployment.base_url,
            headers={"x-most": str(max_output_tokens)},
            body=call.body,
            read_whole=_read_whole,
            open_stream=Translation if call.stream else None,
            read_error=lambda status, _headers, body: GatewayError(status, body.decode(), type="api_error"),
            request_id_header="x-id",
        )


def _read_whole(body: bytes) -> tuple[bytes, Usage | None]:
    return body, Usage(input_tokens=1, output_tokens=1)


class Person:
    """A caller's end: what it was sent, and how long it takes to read each event."""

    def __init__(self) -> None:
        self.sent: list[MutableMapping[str, Any]] = []
        self.reading_seconds = 0.0
        self._on_loss: Callable[[], None] | None = None
        state = {CONNECTION: self}
        scope = {"method": "POST", "path": "/v1/chat/completions", "headers": [], "state": state}
        self.request = Request(scope, self._receive, self._send)

    def when_lost(self, act: Callable[[], None]) -> None:
        self._on_loss = act

    def forget(self, act: Callable[[], None]) -> None:
        if self._on_loss is act:
            self._on_loss = None

    def write_chunk(self, data: bytes) -> None:
        self.sent.append({"type": "http.response.body", "body": data, "more_body": True})

    @property
    def is_stalled(self) -> bool:
        return self.reading_seconds > 0

    def leave(self) -> None:
        if self._on_loss is not None:
            self._on_loss()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    async def _receive(self) -> dict[str, Any]:
        raise AssertionError("nothing is read")

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)
        if message.get("more_body"):
            await asyncio.sleep(self.reading_seconds)


class Gateway:
    """What answers calls, with one model whose deployments are at the given URLs."""

    def __init__(self, answering: Answering, states: Mapping[str, DeploymentState]) -> None:
        self._answering = answering
        self._states = states

    async def answer(self, person: Person, *, stream: bool) -> None:
        call = Call("chat_completions", "m", b"{}", stream=stream)
        await self._answering.answer(person.request, call, Caller("ann"))

    @property
    def in_flight(self) -> list[int]:
        return [state.in_flight for state in self._states.values()]


class Nobody:
    def tell(self, _cooldown: object) -> None:
        pass


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def start_gateway(http: HttpClient, provider: Provider, make_settings: Any) -> Callable[..., Gateway]:
    def start(*urls: str, **time_limits: float) -> Gateway:
        cache = Cache(make_settings())
        deployments = [
            {
                "name": f"d{number}",
                "tier": number,
                "provider": "openai_compatible",
                "base_url": f"{url}/v1",
                "model": "m",
                "time_limits": time_limits,
            }
            for number, url in enumerate(urls)
        ]
        catalog = Catalog.model_validate({"models": [{"name": "m", "deployments": deployments}]})
        states = States(Nobody())
        log = StructuredLog(_Discard(), "error")
        answering = Answering({"openai_compatible": provider}, Upstream(http), ResponseCache(cache))
        answering.serve(catalog, Router(catalog, states, Admission(cache, log)))
        return Gateway(answering, states.adopt(catalog.models[0].deployments))

    return start


class _Discard:
    def write(self, line: bytes, /) -> None:
        pass


async def test_what_the_provider_says_is_passed_on_until_its_end(
    start_gateway: Callable[..., Gateway], start_tcp_server: StartTcpServer
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

    person, gateway = Person(), start_gateway(await start_tcp_server(serve))
    await asyncio.wait_for(gateway.answer(person, stream=True), 1)
    assert person.body == b"oneend"
    assert gateway.in_flight == [0]


async def test_another_deployment_answers_only_until_the_answer_has_begun(
    start_gateway: Callable[..., Gateway], start_tcp_server: StartTcpServer
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
    person, gateway = Person(), start_gateway(at_once, never)
    await gateway.answer(person, stream=True)
    assert person.body == b"twoend"
    assert person.request.record.failed_attempts == ["d0: broken"]

    person, gateway = Person(), start_gateway(midway, never)
    with pytest.raises(GatewayError, match="it broke"):
        await gateway.answer(person, stream=True)
    assert b"two" not in person.body
    assert gateway.in_flight == [0, 0]


async def test_a_caller_that_reads_slowly_is_not_held_against_the_provider(
    start_gateway: Callable[..., Gateway], start_tcp_server: StartTcpServer
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(STREAM + b"3\r\none\r\n")
        await asyncio.sleep(0.5)
        writer.write(END + b"0\r\n\r\n")

    gateway = start_gateway(await start_tcp_server(serve), first_byte_seconds=0.3, between_chunks_seconds=0.3)
    person = Person()
    person.reading_seconds = 0.4
    await gateway.answer(person, stream=True)
    assert person.body == b"oneend"


@pytest.mark.parametrize("begun", [False, True])
async def test_a_caller_that_leaves_ends_the_call(
    start_gateway: Callable[..., Gateway], start_tcp_server: StartTcpServer, begun: bool
) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(STREAM + (b"3\r\none\r\n" if begun else b""))
        asked.set()
        await reader.read()
        closed.set()

    person, gateway = Person(), start_gateway(await start_tcp_server(serve))
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
    start_gateway: Callable[..., Gateway], provider: Provider
) -> None:
    provider.problem = RecursionError("too deep")
    gateway = start_gateway("http://127.0.0.1:1")
    with pytest.raises(RecursionError):
        await gateway.answer(Person(), stream=False)
    assert gateway.in_flight == [0]
