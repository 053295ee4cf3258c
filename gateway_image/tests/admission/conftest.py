"""A real Valkey with a clock that tests set, a ledger that they write, and admissions that share both."""

import asyncio
import io
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest

from gateway.admission import Admission
from gateway.cache.connection import Cache
from gateway.callers import Subject
from gateway.catalog import BedrockDeployment, Capacity
from gateway.database.errors import DatabaseUnavailableError
from gateway.reachability import UnreachableError
from gateway.settings import Settings
from gateway.structured_log import StructuredLog
from local.throwaway_servers import CACHE_PASSWORD, Valkey, free_port

CLOCK_KEY = "gatehouse:{limits}:clock"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """The event loop that the gateway runs on: timers and writes differ from asyncio's own."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def start_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Valkey]]:
    servers: list[Valkey] = []

    def start() -> Valkey:
        servers.append(Valkey(free_port(), tmp_path_factory.mktemp("valkey")))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(scope="module")
def shared_valkey(start_valkey: Callable[[], Valkey]) -> Valkey:
    return start_valkey()


@pytest.fixture
def valkey(shared_valkey: Valkey) -> Iterator[Valkey]:
    """The module's server, which a test may mistreat: the next one finds it running, and empty."""
    yield shared_valkey
    shared_valkey.kill()
    shared_valkey.start()


@pytest.fixture
def settings_of(make_settings: Any) -> Callable[[Valkey], Settings]:
    def settings(server: Valkey) -> Settings:
        made: Settings = make_settings(cache_port=server.port, cache_tls=False, cache_password=CACHE_PASSWORD)
        return made

    return settings


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that is slow because the machine is busy is not taken for one that is away."""
    monkeypatch.setattr("gateway.cache.session._LOOK_SECONDS", 15)


@pytest.fixture
def impatience(patience: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it really is, for tests in which the cache hangs."""
    monkeypatch.undo()


class Clock:
    """The time of the cache and of all processes, in Unix seconds."""

    now = 1_800_000_000

    def __call__(self) -> float:
        return self.now + 0.5


@pytest.fixture
def clock() -> Clock:
    return Clock()


class LedgerSums:
    """What the ledger holds, as tests set it; all that were asked are in `questions`."""

    def __init__(self) -> None:
        self.held: dict[Subject, Mapping[str, int]] = {}
        self.questions: list[tuple[Subject, int]] = []
        self.is_away = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def used(self, subject: Subject, at: int) -> Mapping[str, int]:
        self.questions.append((subject, at))
        await self.may_answer.wait()
        if self.is_away:
            raise DatabaseUnavailableError("away")
        return self.held.get(subject, {})


@pytest.fixture
async def sums() -> LedgerSums:
    return LedgerSums()


class Log(io.BytesIO):
    """What was logged."""

    @property
    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.getvalue().splitlines()]


@pytest.fixture
def log() -> Log:
    return Log()


def make_clock_count(cache: Cache, clock: Clock) -> None:
    """Have a cache's scripts take the time from a key, which every command sets first."""
    add_script, send, post = cache.add_script, cache.send, cache.post

    def add_script_with_clock(source: str) -> str:
        assert source.count("redis.call('TIME')") == 1
        time = f"{{redis.call('GET', '{CLOCK_KEY}'), redis.call('TIME')[2]}}"
        return add_script(source.replace("redis.call('TIME')", time))

    def send_at_time(*words: Any, on_late: Any = None) -> asyncio.Future[Any]:
        post("SET", CLOCK_KEY, clock.now)
        return send(*words, on_late=on_late)

    def post_at_time(*words: Any) -> None:
        post("SET", CLOCK_KEY, clock.now)
        post(*words)

    cache.add_script = add_script_with_clock  # type: ignore[method-assign]
    cache.send = send_at_time  # type: ignore[method-assign]
    cache.post = post_at_time  # type: ignore[method-assign]


class Process:
    """What one gateway process has of all this."""

    def __init__(self, cache: Cache, admission: Admission, connection: "asyncio.Task[None]") -> None:
        self.cache = cache
        self.admission = admission
        self.connection = connection

    async def until_connected(self) -> None:
        async with asyncio.timeout(30):
            while True:
                try:
                    return await self.cache.ping()
                except UnreachableError:
                    await asyncio.sleep(0.01)


@pytest.fixture
async def start_process(
    valkey: Valkey, settings_of: Any, clock: Clock, sums: LedgerSums, log: Log
) -> AsyncIterator[Callable[..., Awaitable[Process]]]:
    """Starts admissions with a cache connection of their own, which end with the test."""
    processes: list[Process] = []

    async def start(
        when_cache_is_away: Any = "local", *, server: Valkey | None = None, clock_counts: bool = True
    ) -> Process:
        cache = Cache(settings_of(server or valkey))
        if clock_counts:
            make_clock_count(cache, clock)
        admission = Admission(
            cache,
            StructuredLog(log, "info"),
            sums=sums,
            when_cache_is_away=when_cache_is_away,
            clock=clock,
        )
        process = Process(cache, admission, asyncio.create_task(cache.stay_connected()))
        processes.append(process)
        await process.until_connected()
        return process

    yield start
    for process in processes:
        process.connection.cancel()
        await process.admission.close()
        with suppress(asyncio.CancelledError):
            await process.connection


@pytest.fixture
async def process(start_process: Callable[[], Awaitable[Process]]) -> Process:
    return await start_process()


@pytest.fixture
def admission(process: Process) -> Admission:
    return process.admission


@pytest.fixture
def deployment() -> Callable[..., BedrockDeployment]:
    """A deployment; without a limit it takes any number of requests."""

    def make(name: str, requests: int | None = None, tokens: int | None = None) -> BedrockDeployment:
        return BedrockDeployment(
            name=name,
            provider="bedrock",
            region="us-east-1",
            model_id="amazon.nova-lite-v1:0",
            capacity=Capacity(requests_per_minute=requests, tokens_per_minute=tokens),
        )

    return make


@pytest.fixture
def freeze() -> Iterator[Callable[[Valkey], None]]:
    """Stops a server so that connections stay and nothing comes back, until `thaw` or the test's end."""
    frozen: list[int] = []

    def stop(server: Valkey) -> None:
        assert server.process is not None
        frozen.append(server.process.pid)
        os.kill(server.process.pid, signal.SIGSTOP)

    yield stop
    for pid in frozen:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@pytest.fixture
def until() -> Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]:
    """Waits until a condition holds."""

    async def wait(condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(30):
            while True:
                if await condition():
                    return
                await asyncio.sleep(0.01)

    return wait
