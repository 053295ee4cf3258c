"""Limits and budgets over four gateways with 200 requests at a time: exact, and equal to the ledger."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import aiohttp
import asyncpg
import pytest
import redis

from gateway.admission.windows import windows_of
from gateway.callers import Subject
from gateway.limits import DIMENSIONS, Limits
from local.fleet import Fleet, urls
from local.throwaway_servers import CACHE_PASSWORD

CONCURRENT = 200
KeyOf = Callable[[str, int], str]


class Outcome:
    """What became of all calls, as their callers saw it; status 0 is a broken connection."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.tokens = 0
        self.refusals: list[dict[str, Any]] = []


async def call(
    session: aiohttp.ClientSession, url: str, key: str, words: int, max_tokens: int, outcome: Outcome
) -> None:
    body = {
        "model": "chat",
        "messages": [{"role": "user", "content": f"please answer with {words} words"}],
        "max_tokens": max_tokens,
    }
    while True:
        try:
            async with session.post(
                f"{url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}
            ) as answer:
                content = await answer.json()
        except aiohttp.ClientError:
            outcome.statuses[0] += 1
            return
        # A gateway on a busy machine may shed load before it counts anything.
        if answer.status != 503:
            break
        await asyncio.sleep(0.1)
    outcome.statuses[answer.status] += 1
    if answer.status == 200:
        outcome.tokens += content["usage"]["total_tokens"]
    elif answer.status == 429:
        outcome.refusals.append(content["error"])


async def load(running: Fleet, key: str, seed: int, *, calls: int, outcome: Outcome | None = None) -> Outcome:
    """Callers that ask all gateways at once, each so many times."""
    chance, gateways = random.Random(seed), urls(running.gateways)
    outcome = outcome or Outcome()
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(120)
    ) as session:

        async def ask(number: int) -> None:
            for _ in range(calls):
                max_tokens = chance.randint(50, 300)
                words = chance.randint(1, max_tokens)
                await call(
                    session, gateways[(number + seed) % len(gateways)], key, words, max_tokens, outcome
                )

        await asyncio.gather(*(ask(number) for number in range(CONCURRENT)))
    return outcome


async def ledger(running: Fleet, caller: str, rows: int) -> asyncpg.Record:
    """What the ledger holds of a caller, once it has all rows."""
    assert running.postgres is not None
    connection = await asyncpg.connect(running.postgres.dsn)
    try:
        deadline = time.monotonic() + 60
        while True:
            sums = await connection.fetchrow(
                "SELECT count(*) AS requests,"
                " coalesce(sum(input_tokens + output_tokens), 0)::bigint AS tokens,"
                " coalesce(sum(cost_nano_usd), 0)::bigint AS usd FROM usage WHERE caller_id = $1",
                caller,
            )
            if sums["requests"] >= rows:
                return sums
            assert time.monotonic() < deadline, sums
            await asyncio.sleep(0.1)
    finally:
        await connection.close()


def counters(running: Fleet, caller: str, limits: Limits, *, all_have_ended: bool = True) -> dict[str, int]:
    """What the cache holds of a caller; nothing is reserved any more once all have ended."""
    found = {}
    with redis.Redis(
        "127.0.0.1",
        running.valkey.port,
        username="gateway",
        password=CACHE_PASSWORD,
        decode_responses=True,
    ) as client:
        for window in windows_of([(Subject("caller", caller, None), limits)]):
            window_hash: Any = client.hgetall(window.key)
            reserved = int(window_hash.get("reserved", 0))
            assert not (all_have_ended and reserved), (window.name, reserved)
            found[window.name] = int(window_hash["used"]) + reserved
    return found


def test_a_limit_of_a_hundred_requests_admits_exactly_a_hundred(
    running: Fleet, key_of: KeyOf, seed: int
) -> None:
    outcome = asyncio.run(load(running, key_of("requests", seed), seed, calls=2))
    assert outcome.statuses == {200: 100, 429: 2 * CONCURRENT - 100}
    assert {refusal["type"] for refusal in outcome.refusals} == {"requests"}
    caller = f"bootstrap:requests-{seed}"
    sums = asyncio.run(ledger(running, caller, 100))
    assert (sums["requests"], sums["tokens"]) == (100, outcome.tokens)
    assert counters(running, caller, Limits(requests_per_hour=100)) == {"requests_per_hour": 100}


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("tokens", Limits(tokens_per_month=20_000)),
        ("usd", Limits(usd_total=1.5)),
        ("several", Limits(requests_per_hour=250, tokens_per_month=30_000, usd_total=4)),
    ],
)
def test_budgets_are_not_exceeded_and_counters_equal_the_ledger(
    running: Fleet, key_of: KeyOf, name: str, limits: Limits, seed: int
) -> None:
    outcome = asyncio.run(load(running, key_of(name, seed), seed, calls=4))
    assert set(outcome.statuses) == {200, 429}
    caller = f"bootstrap:{name}-{seed}"
    sums = asyncio.run(ledger(running, caller, outcome.statuses[200]))
    assert (sums["requests"], sums["tokens"]) == (outcome.statuses[200], outcome.tokens)
    used = counters(running, caller, limits)
    assert used == {window: sums[DIMENSIONS[window].unit] for window in used}
    assert all(
        used[window.name] <= window.limit
        for window in windows_of([(Subject("caller", caller, None), limits)])
    )


def test_a_process_that_is_killed_leaves_no_more_than_the_limit(
    running: Fleet, key_of: KeyOf, seed: int
) -> None:
    caller, limits = f"bootstrap:killed-{seed}", Limits(requests_per_hour=100, tokens_per_month=20_000)
    doomed = running.gateways[seed]

    async def load_and_kill() -> Outcome:
        outcome = Outcome()
        loading = asyncio.create_task(load(running, key_of("killed", seed), seed, calls=4, outcome=outcome))
        for _ in range(6000):
            if outcome.statuses[200] >= 5 or loading.done():
                break
            await asyncio.sleep(0.01)
        await asyncio.to_thread(doomed.stop, signal.SIGKILL)
        return await loading

    try:
        outcome = asyncio.run(load_and_kill())
        assert set(outcome.statuses) <= {0, 200, 429}
        assert 0 < outcome.statuses[200] <= 100
        assert outcome.tokens <= 20_000
        used = counters(running, caller, limits, all_have_ended=False)
        assert used["requests_per_hour"] <= 100
        # Of what the killed process had admitted, some have no answer, and some answers were not settled.
        assert outcome.tokens <= used["tokens_per_month"] <= 20_000
    finally:
        doomed.start()


def test_a_cache_that_lost_everything_still_keeps_the_budget(running: Fleet, key_of: KeyOf) -> None:
    """From the ledger, at the first request; last in this file, because it ends what others count."""
    key, caller, limits = key_of("usd", 0), "bootstrap:usd-0", Limits(usd_total=1.5)
    asyncio.run(load(running, key, 0, calls=2))
    rows = asyncio.run(ledger(running, caller, 1))["requests"]
    deadline = time.monotonic() + 60
    # What is not in the ledger yet when the cache is lost, nobody can know of.
    while asyncio.run(ledger(running, caller, rows))["usd"] != counters(running, caller, limits)["usd_total"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with redis.Redis("127.0.0.1", running.valkey.port, username="gateway", password=CACHE_PASSWORD) as client:
        client.flushall()
    asyncio.run(load(running, key, 1, calls=2))
    sums = asyncio.run(ledger(running, caller, rows))
    assert 0 < sums["usd"] <= 1_500_000_000
