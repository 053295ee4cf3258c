"""Callers who ask all the time, half of them for streams, and try again for a minute."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from local.drill.names import PublicName, Resolver
from local.drill.world import INPUT_USD, MODEL, OUTPUT_USD

RETRY_SECONDS = 60.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_BETWEEN_SECONDS = 0.15
_ATTEMPT = aiohttp.ClientTimeout(total=15, sock_connect=2, sock_read=5)
_BODY = {"model": MODEL, "max_tokens": 20, "messages": [{"role": "user", "content": "How are you?"}]}


@dataclass(frozen=True, kw_only=True)
class Acknowledged:
    """A request that was answered to its end.

    request_id: as in the ledger. url: of the region that answered. at: when its caller knew, by `time.time`.
    usd: what it cost, by the usage that the caller was told.
    """

    request_id: str
    url: str
    at: float
    usd: float


@dataclass
class Seen:
    """What callers saw. Times are of `time.time`."""

    acknowledged: list[Acknowledged] = field(default_factory=list)
    failed_attempts: list[float] = field(default_factory=list)
    # Requests that no attempt within the time for retries answered: what their callers show their users.
    errors: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0

    @property
    def usd(self) -> float:
        """What callers know that they have spent."""
        return sum(each.usd for each in self.acknowledged)


class Callers:
    """One task for each key; half of the requests are streams."""

    def __init__(self, name: PublicName, keys: Sequence[str], *, seed: int) -> None:
        self.seen = Seen()
        self._name, self._keys, self._seed = name, keys, seed
        self._tasks: list[asyncio.Task[None]] = []
        self._leaving = False

    def start(self) -> None:
        """Begin to ask."""
        self._tasks = [asyncio.create_task(self._ask(n, key)) for n, key in enumerate(self._keys)]

    async def leave(self) -> None:
        """Finish what has been begun, and ask no more."""
        self._leaving = True
        await asyncio.gather(*self._tasks)

    async def _ask(self, number: int, key: str) -> None:
        chance = random.Random(f"{self._seed}-{number}")  # noqa: S311 (reproducible, not secret)
        resolver = Resolver(self._name)
        headers = {"Authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession(headers=headers, timeout=_ATTEMPT) as session:
            while not self._leaving:
                await self._until_answered(session, resolver, stream=chance.random() < 0.5)
                await asyncio.sleep(chance.uniform(0, 2 * _BETWEEN_SECONDS))

    async def _until_answered(
        self, session: aiohttp.ClientSession, resolver: Resolver, *, stream: bool
    ) -> None:
        begun = time.monotonic()
        pause = _FIRST_PAUSE_SECONDS
        while True:
            problem = await self._attempt(session, resolver.url(), stream=stream)
            waited = time.monotonic() - begun
            if problem is None:
                self.seen.slowest_seconds = max(self.seen.slowest_seconds, waited)
                return
            self.seen.failed_attempts.append(time.time())
            if waited > RETRY_SECONDS:
                self.seen.errors.append(problem)
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _attempt(self, session: aiohttp.ClientSession, url: str, *, stream: bool) -> str | None:
        """Ask once; None, or what is wrong with the answer."""
        request_id = f"drill-{uuid4().hex}"
        body: dict[str, Any] = _BODY | {"stream": stream}
        if stream:
            body["stream_options"] = {"include_usage": True}
        try:
            async with session.post(
                f"{url}/v1/chat/completions", json=body, headers={"x-request-id": request_id}
            ) as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"{type(error).__name__}: {error}"
        if response.status != 200:
            return f"{response.status}: {text[:200]}"
        if stream and "data: [DONE]" not in text:
            return "the stream broke off"
        self.seen.acknowledged.append(
            Acknowledged(request_id=request_id, url=url, at=time.time(), usd=_usd(text, stream=stream))
        )
        return None


def _usd(text: str, *, stream: bool) -> float:
    if stream:
        (text,) = (
            line.removeprefix("data: ") for line in text.splitlines() if '"usage":{' in line.replace(" ", "")
        )
    usage = json.loads(text)["usage"]
    return float(usage["prompt_tokens"] * INPUT_USD + usage["completion_tokens"] * OUTPUT_USD) / 1_000_000
