"""Cooldowns told from process to process."""

import asyncio
import time
from typing import Any

import pytest

from gateway.cache.connection import Cache
from gateway.cache.cooldown_exchange import SharedCooldowns
from gateway.routing.cooldown import RECOVERED, Cooldown

pytestmark = pytest.mark.anyio


class Process:
    """One gateway process, as far as cooldowns go."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.learnt: list[Cooldown] = []
        self.cooldowns = SharedCooldowns(cache)
        self.cooldowns.listen(self.learnt.append)


def cooling(deployment: str, seconds: float = 30) -> Cooldown:
    return Cooldown(deployment, time.time() + seconds, 3, "failing")


@pytest.fixture
async def start(connect: Any, cache_settings: Any) -> Any:
    async def start() -> Process:
        process = Process(Cache(cache_settings))
        await connect(process.cache)
        return process

    return start


async def test_another_process_learns_of_a_cooldown_at_once(start: Any, until: Any) -> None:
    first, second = await start(), await start()
    cooldown = cooling("at-once")
    first.cooldowns.tell(cooldown)
    began = time.monotonic()
    await until(lambda: cooldown in second.learnt)
    # Milliseconds, on a machine that has nothing else to do.
    assert time.monotonic() - began < 0.5


async def test_a_process_that_comes_later_learns_of_it_too(start: Any) -> None:
    first = await start()
    cooldown = cooling("before-it-came")
    first.cooldowns.tell(cooling("passed", 0.01))
    first.cooldowns.tell(cooldown)
    await first.cache.ping()
    await asyncio.sleep(0.02)
    later = await start()
    assert cooldown in later.learnt
    assert "passed" not in {each.deployment for each in later.learnt}


async def test_a_recovery_is_told_and_leaves_nothing_behind(start: Any, until: Any) -> None:
    first, second = await start(), await start()
    first.cooldowns.tell(cooling("recovering"))
    recovered = Cooldown("recovering", RECOVERED, 0, "failing")
    first.cooldowns.tell(recovered)
    await until(lambda: recovered in second.learnt)
    assert not await first.cache.send("HEXISTS", "gatehouse:cooldowns", "recovering")
    later = await start()
    assert "recovering" not in {each.deployment for each in later.learnt}


async def test_what_another_version_tells_is_passed_over(start: Any, until: Any) -> None:
    process = await start()
    process.learnt.clear()
    for message in (b"", b"{}", b'{"deployment": 7}', b"\xff"):
        process.cache.post("PUBLISH", "gatehouse:cooldowns", message)
        process.cache.post("HSET", "gatehouse:cooldowns", "odd", message)
    more = b'{"deployment":"a","until_unix_seconds":9e9,"failures":1,"cause":"throttled","more":1}'
    process.cache.post("PUBLISH", "gatehouse:cooldowns", more)
    expected = Cooldown("a", 9e9, 1, "throttled")
    await until(lambda: expected in process.learnt)
    assert len(process.learnt) == 1
    assert expected not in (await start()).learnt


async def test_the_cache_is_killed_and_comes_back(
    valkey: Any, start: Any, until: Any, until_connected: Any
) -> None:
    first, second = await start(), await start()
    valkey.kill()
    first.cooldowns.tell(cooling("while-away"))
    valkey.start()
    await until_connected(first.cache)
    await until_connected(second.cache)
    cooldown = cooling("afterwards")
    first.cooldowns.tell(cooldown)
    await until(lambda: cooldown in second.learnt)
    assert "while-away" not in {each.deployment for each in second.learnt}
