"""More requests than one process can answer: who waits, and for how long."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from statistics import median
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

# Each takes the gateway about a millisecond and no provider: it has to be read and understood to be refused.
FLOODERS = 100
TEXT = 'Is a[0] {"equal"} to [b] {c}?\n' * 20
EXPENSIVE = {"model": "none", "messages": [{"role": "user", "content": TEXT}] * 100}
CHEAP = {"model": "none", "messages": [{"role": "user", "content": "hello"}]}
KEYS = {priority: f"key-of-a-caller-of-{priority}-priority-01234" for priority in ("high", "normal", "low")}


def request_bytes(priority: str, body: object) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {KEYS[priority]}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def header(head: bytes, name: bytes) -> int:
    """A number in a response's head, 0 if it is not there."""
    return int(head.partition(name + b": ")[2].partition(b"\r\n")[0] or 0)


class Caller:
    """Sends requests over one connection, one after the other."""

    def __init__(self, gateway: Any) -> None:
        self._host, self._port = gateway.url.removeprefix("http://").split(":")
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, int(self._port))

    async def call(self, request: bytes) -> int:
        """Send a request and read its answer; returns the seconds to wait that it asks for."""
        began = time.perf_counter()
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        await self._reader.readexactly(header(head, b"content-length"))
        self.seconds.append(time.perf_counter() - began)
        self.statuses[int(head[9:12])] += 1
        return header(head, b"retry-after")

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


@asynccontextmanager
async def flood(gateway: Any, priority: str) -> AsyncIterator[Counter[int]]:
    """Callers of a priority that ask again as soon as they may; yields their answers by status."""
    statuses: Counter[int] = Counter()
    request = request_bytes(priority, EXPENSIVE)

    async def press() -> None:
        caller = Caller(gateway)
        caller.statuses = statuses
        await caller.connect()
        try:
            while True:
                retry_after = await caller.call(request)
                # A second takes a tenth of one here.
                await asyncio.sleep(retry_after / 10)
        finally:
            await caller.close()

    tasks = [asyncio.create_task(press()) for _ in range(FLOODERS)]
    try:
        # Until it has its full effect.
        await asyncio.sleep(1.5)
        yield statuses
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def measure(gateway: Any, priority: str, seconds: float = 1.5) -> Caller:
    """A caller that asks twenty times a second at most."""
    caller = Caller(gateway)
    await caller.connect()
    request = request_bytes(priority, CHEAP)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await caller.call(request)
        await asyncio.sleep(0.05)
    await caller.close()
    return caller


async def test_the_important_are_served_at_once_and_the_others_are_told_to_wait(start_gateway: Any) -> None:
    keys = {priority: {"key": key, "priority": priority} for priority, key in KEYS.items()}
    gateway = start_gateway(api_keys=json.dumps(keys))
    before = await measure(gateway, "high")
    async with flood(gateway, "high"):
        among_equals = await measure(gateway, "high")
    async with flood(gateway, "low") as answers:
        during = await measure(gateway, "high")
    await asyncio.sleep(1)
    after = await measure(gateway, "low")
    # Nobody is told to wait without need, and afterwards all is as before.
    assert before.statuses.keys() == after.statuses.keys() == {404}
    assert median(after.seconds) < median(before.seconds) + 0.05
    # Callers who are all the same have to wait for each other.
    assert median(among_equals.seconds) > 10 * median(before.seconds)
    # Those who matter more than the rest hardly notice it, and what can be done for the rest is done.
    assert median(during.seconds) < median(among_equals.seconds) / 2
    assert during.statuses[404] > 0.9 * during.statuses.total()
    assert answers[503] > FLOODERS
    assert answers[404] > FLOODERS
    assert set(answers) == {404, 503}
