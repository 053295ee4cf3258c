"""Answering over real connections, with a provider of the test's own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import pytest

from gateway.admission import Admission
from gateway.answering import Answering
from gateway.body_memory import BodyMemory
from gateway.cache.connection import Cache
from gateway.cache.response_cache import ResponseCache
from gateway.call import Call, Operation
from gateway.callers import Caller
from gateway.catalog import Catalog, OpenAICompatibleDeployment
from gateway.errors import GatewayError, provider_error
from gateway.http_client import HttpClient
from gateway.providers import Usage
from gateway.providers.interface import UpstreamBatch, UpstreamRequest
from gateway.remote_images.inlining import remote_images
from gateway.request import CONNECTION, Request
from gateway.routing.router import Router
from gateway.routing.states import DeploymentState, States
from gateway.structured_log import StructuredLog
from gateway.upstream import Upstream

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
StartTcpServer = Callable[[Serve], Awaitable[str]]


class Translation:
    """Passes chunks on; `end` is the last of an answer, `bad` an error, and with `hush` nothing is said."""

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
        if b"hush" not in chunk:
            self.characters += len(chunk)
        return chunk

    def finish(self) -> bytes:
        self.error = provider_error("cut", code="cut")
        return b""


class Provider:
    """Sends the body as it is; raises what a test sets."""

    problem: Exception | None = None
    usage: Usage | None = Usage(input_tokens=1, output_tokens=1)
    batch: UpstreamBatch | None = None

    def operations(self, _deployment: OpenAICompatibleDeployment) -> frozenset[Operation]:
        return frozenset({"chat_completions", "embeddings"})

    def prepare(
        self, deployment: OpenAICompatibleDeployment, call: Call, *, max_output_tokens: int
    ) -> UpstreamRequest | UpstreamBatch:
        if self.problem is not None:
            raise self.problem
        if self.batch is not None:
            return self.batch
        return UpstreamRequest(
            url=deployment.base_url,
            headers={"x-most": str(max_output_tokens)},
            body=call.body,
            read_whole=self._read_whole,
            open_stream=Translation if call.stream else None,
            read_error=lambda status, _headers, body: GatewayError(status, body.decode(), type="api_error"),
            request_id_header="x-id",
        )

    def _read_whole(self, body: bytes) -> tuple[bytes, Usage | None]:
        if body == b"useless":
            error = provider_error("it made no sense", code="useless")
            error.usage = self.usage
            raise error
        return body, self.usage


class Person:
    """A caller's end: what it was sent, and how long it takes to read each event."""

    def __init__(self) -> None:
        self.sent: list[MutableMapping[str, Any]] = []
        self.reading_seconds = 0.0
        self._on_loss: Callable[[], None] | None = None
        state = {CONNECTION: self}
        scope = {"method": "POST", "path": "/v1/chat/completions", "headers": [], "state": state}
        self.request = Request(scope, self._receive, self._send)

    has_all = False

    def when_lost(self, act: Callable[[], None]) -> None:
        self._on_loss = act

    def forget(self, act: Callable[[], None]) -> None:
        if self._on_loss == act:
            self._on_loss = None

    def write_chunk(self, data: bytes) -> bool:
        self.sent.append({"type": "http.response.body", "body": data, "more_body": True})
        return self.reading_seconds == 0

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
        self.answering = answering
        self._states = states

    async def answer(
        self, person: Person, *, stream: bool, operation: Operation = "chat_completions"
    ) -> None:
        call = Call(operation, "m", b"{}", stream=stream)
        await self.answering.answer(person.request, call, Caller("bootstrap:ann", "ann", "bootstrap"))

    @property
    def in_flight(self) -> list[int]:
        return [state.in_flight for state in self._states.values()]


class NoLedger:
    async def used(self, _subject: object, _at: int) -> Mapping[str, int]:
        raise AssertionError("nobody has a limit")


class Nobody:
    def tell(self, _cooldown: object) -> None:
        pass


@pytest.fixture
def new_person() -> Callable[[], Person]:
    return Person


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
                "price": {"input_usd": 1, "output_usd": 10},
            }
            for number, url in enumerate(urls)
        ]
        catalog = Catalog.model_validate({"models": [{"name": "m", "deployments": deployments}]})
        states = States(Nobody())
        log = StructuredLog(_Discard(), "error")
        answering = Answering(
            {"openai_compatible": provider},
            Upstream(http),
            ResponseCache(cache),
            remote_images("[]", BodyMemory(2**20)),
        )
        answering.serve(
            catalog,
            Router(catalog, states, Admission(cache, log, sums=NoLedger(), when_cache_is_away="open")),
        )
        return Gateway(answering, states.adopt(catalog.models[0].deployments))

    return start


class _Discard:
    def write(self, line: bytes, /) -> None:
        pass
