"""Limits and capacities in the cache: exact in any minute, over all processes, all or nothing."""

import asyncio
import io
import json
import random
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from gateway.admission import Admission, Admitted, LimitExceededError
from gateway.admission import windows as windows_module
from gateway.admission.windows import LocalWindows
from gateway.api_keys import Caller
from gateway.cache.connection import Cache
from gateway.catalog import BedrockDeployment, Capacity
from gateway.structured_log import StructuredLog

pytestmark = pytest.mark.anyio

Ask = Callable[[Sequence[str], Sequence[int]], Awaitable[list[int]]]
Settle = Callable[[str, int, int], Awaitable[None]]

WORKER = """
import asyncio, io, json, sys
import uvloop
from gateway.admission import Admission, LimitExceededError
from gateway.api_keys import Caller
from gateway.cache.connection import Cache
from gateway.catalog import BedrockDeployment, Capacity
from gateway.settings import load_settings
from gateway.structured_log import StructuredLog

async def main():
    cache = Cache(load_settings(json.loads(sys.argv[1])))
    admission = Admission(cache, StructuredLog(io.BytesIO(), "error"))
    connection = asyncio.create_task(cache.stay_connected())
    await cache.ping()
    usual = {"provider": "bedrock", "region": "us-east-1", "model_id": "amazon.nova-lite-v1:0"}
    deployments = [
        BedrockDeployment(name=name, capacity=Capacity(requests_per_minute=limit), **usual)
        for name, limit in (("first", 60), ("second", 25), ("last", None))
    ]
    counts = {}

    async def admit():
        try:
            index = (await admission.admit(Caller("worker", 100), deployments, tokens=1)).index
        except LimitExceededError:
            index = "refused"
        counts[index] = counts.get(index, 0) + 1

    print("ready", flush=True)
    sys.stdin.readline()
    await asyncio.gather(*(admit() for _ in range(100)))
    print(json.dumps(counts))

uvloop.run(main())
"""


def deployment(name: str, requests: int | None = None, tokens: int | None = None) -> BedrockDeployment:
    return BedrockDeployment(
        name=name,
        provider="bedrock",
        region="us-east-1",
        model_id="amazon.nova-lite-v1:0",
        capacity=Capacity(requests_per_minute=requests, tokens_per_minute=tokens),
    )


class Clock:
    """The time of the cache and of this process, in seconds."""

    now = 1_800_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(windows_module, "time", type("time", (), {"monotonic": lambda: clock.now + 0.5}))
    return clock


@pytest.fixture
async def cache(valkey: Any, cache_settings: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """A cache whose scripts take the time from a key, which every command sets first."""
    key = "gatehouse:{limits}:clock"
    cache = Cache(cache_settings)
    add_script, send = cache.add_script, cache.send

    def add_script_with_clock(source: str) -> str:
        return add_script(source.replace("redis.call('TIME')[1]", f"redis.call('GET', '{key}')"))

    def send_at_time(*words: Any) -> asyncio.Future[Any]:
        cache.post("SET", key, clock.now)
        return send(*words)

    monkeypatch.setattr(cache, "add_script", add_script_with_clock)
    monkeypatch.setattr(cache, "send", send_at_time)
    return cache


@pytest.fixture
def log() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
async def admission(cache: Cache, connect: Any, log: io.BytesIO) -> Admission:
    admission = Admission(cache, StructuredLog(log, "info"))
    await connect(cache)
    return admission


class Oracle:
    """The rules without any economy: everything that was ever counted, in a list."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counted: list[tuple[str, int, int]] = []

    def used(self, key: str, now: int) -> int:
        return sum(amount for name, second, amount in self._counted if name == key and second >= now - 60)

    def seconds_until_room(self, key: str, limit: int, amount: int) -> int:
        waits = range(62) if limit else range(1)
        now = self._clock.now
        return next(s for s in waits if not limit or self.used(key, now + s) + amount <= limit)

    def admit(self, keys: Sequence[str], arguments: Sequence[int]) -> list[int]:
        caller_limit, tokens = arguments[:2]
        if seconds := self.seconds_until_room(keys[0], caller_limit, 1):
            return [-1, seconds]
        waits = []
        for n in range(1, len(keys) // 2 + 1):
            requests, token_window = keys[2 * n - 1 : 2 * n + 1]
            request_limit, token_limit = arguments[2 * n : 2 * n + 2]
            reserved = min(tokens, token_limit)
            waits.append(
                max(
                    self.seconds_until_room(requests, request_limit, 1),
                    self.seconds_until_room(token_window, token_limit, reserved),
                )
            )
            if not waits[-1]:
                for key, amount in ((keys[0], 1), (requests, 1), (token_window, reserved)):
                    self._counted.append((key, self._clock.now, amount))
                return [n, 0]
        return [0, min(waits)]

    def settle(self, key: str, second: int, change: int) -> None:
        self._counted.append((key, second, change))


@pytest.fixture(params=["in the cache", "in the process"])
async def asked(
    request: pytest.FixtureRequest, clock: Clock, cache: Cache, admission: Admission
) -> tuple[Ask, Settle]:
    if request.param == "in the process":
        local = LocalWindows()

        async def admit(keys: Sequence[str], arguments: Sequence[int]) -> list[int]:
            return local.admit(keys, arguments)

        async def settle(key: str, second: int, change: int) -> None:
            local.correct(key, second, change)

        return admit, settle

    async def admit_in_cache(keys: Sequence[str], arguments: Sequence[int]) -> list[int]:
        reply: list[int] = await cache.send("EVALSHA", admission._admit_script, len(keys), *keys, *arguments)
        return reply

    async def settle_in_cache(key: str, second: int, change: int) -> None:
        await cache.send("EVALSHA", admission._settle_script, 1, key, second, change)

    return admit_in_cache, settle_in_cache


@pytest.mark.parametrize("seed", range(3))
async def test_the_limits_hold_in_any_minute(asked: tuple[Ask, Settle], clock: Clock, seed: int) -> None:
    admit, settle = asked
    chance, oracle = random.Random(seed), Oracle(clock)
    keys = [f"gatehouse:{{limits}}:{seed}:{name}" for name in ("caller", "r1", "t1", "r2", "t2")]
    reservations: list[tuple[str, int, int]] = []
    outcomes = set()
    for _ in range(250):
        clock.now += chance.choice((0, 0, 0, 1, 3, 20, 61, 150) if chance.random() < 0.3 else (0, 1, 2))
        tokens = chance.choice((0, 1, 40, 400, 5000))
        arguments = [30, tokens, 10, 1000, 0 if seed == 2 else 12, 2000]
        number, seconds, second, used, _ = await admit(keys, arguments)
        assert [number, seconds] == oracle.admit(keys, arguments)
        assert used == oracle.used(keys[0], clock.now)
        outcomes.add(number)
        if number > 0:
            reservations.append((keys[2 * number], second, min(tokens, arguments[2 * number + 1])))
        if reservations and chance.random() < 0.5:
            key, second, reserved = reservations.pop(chance.randrange(len(reservations)))
            change = chance.randint(-reserved, 50)
            await settle(key, second, change)
            oracle.settle(key, second, change)
    assert outcomes >= {0, 1, 2}


async def test_a_clock_that_is_set_back_leaves_nothing_counted_for_good(
    admission: Admission, clock: Clock
) -> None:
    """The cache's clock may be set, and that of the replica that takes over may be behind."""
    only = [deployment("set-back", 5)]
    for step in (0, -5, 1, 1):
        clock.now += step
        assert (await admission.admit(None, only, tokens=1)).index == 0
    for _ in range(8):
        clock.now += 30
        assert (await admission.admit(None, only, tokens=1)).index == 0


async def test_exactly_the_limit_passes_over_processes(valkey: Any, make_settings: Any) -> None:
    settings = make_settings(cache_port=valkey.port, cache_tls=False)
    environment = {
        f"GATEWAY_{name.upper()}": str(
            getattr(value, "get_secret_value", lambda value=value: value)()
        ).lower()
        for name, value in settings
        if value is not None
    }
    workers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, json.dumps(environment), stdin=-1, stdout=-1
        )
        for _ in range(4)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert await worker.stdout.readline() == b"ready\n"
    outputs = await asyncio.gather(*(worker.communicate(b"go\n") for worker in workers))
    counts = [json.loads(output) for output, _ in outputs]
    totals = {name: sum(count.get(name, 0) for count in counts) for name in ("0", "1", "2", "refused")}
    assert totals == {"0": 60, "1": 25, "2": 15, "refused": 300}


async def test_a_caller_over_its_limit_is_told_when_to_come_back(admission: Admission, clock: Clock) -> None:
    caller, anywhere = Caller("over", 3), [deployment("anywhere")]
    for remaining in (2, 1, 0):
        admitted = await admission.admit(caller, anywhere, tokens=1)
        assert admitted.index == 0
        assert admitted.allowance is not None
        assert admitted.allowance.remaining == remaining
        clock.now += 10
    with pytest.raises(LimitExceededError) as raised:
        await admission.admit(caller, anywhere, tokens=1)
    error = raised.value
    assert (error.status, error.code, error.retry_after_seconds) == (429, "rate_limit_exceeded", 31)
    assert "'over'" in error.message
    assert "3 requests a minute" in error.message
    assert error.allowance.headers() == [
        (b"x-ratelimit-limit-requests", b"3"),
        (b"x-ratelimit-remaining-requests", b"0"),
        # Told by the key's expiry, for which the test's clock does not count.
        (b"x-ratelimit-reset-requests", b"1m1s"),
    ]
    clock.now += 30
    with pytest.raises(LimitExceededError):
        await admission.admit(caller, anywhere, tokens=1)
    clock.now += 1
    assert (await admission.admit(caller, anywhere, tokens=1)).index == 0
    # One caller's limit is no other's.
    assert (await admission.admit(Caller("other", 1), anywhere, tokens=1)).index == 0


async def test_the_first_deployment_with_capacity_takes_the_request(admission: Admission) -> None:
    small, large, unlimited = deployment("small", 1), deployment("large", 2), deployment("rest")
    taken = [(await admission.admit(None, [small, large, unlimited], tokens=1)).index for _ in range(5)]
    assert taken == [0, 1, 1, 2, 2]
    refused = await admission.admit(None, [large, small], tokens=1)
    assert refused == Admitted(None, 61)


async def test_what_is_refused_is_not_counted(admission: Admission) -> None:
    caller, full = Caller("careful", 2), deployment("full", 1)
    assert (await admission.admit(caller, [full], tokens=1)).index == 0
    for _ in range(5):
        refused = await admission.admit(caller, [full], tokens=1)
        assert refused.index is None
        assert refused.allowance is not None
        assert refused.allowance.remaining == 1
    spare = deployment("spare", 1)
    assert (await admission.admit(caller, [full, spare], tokens=1)).index == 1
    other = deployment("other", 1)
    with pytest.raises(LimitExceededError):
        await admission.admit(caller, [other], tokens=1)
    assert (await admission.admit(None, [other], tokens=1)).index == 0


async def test_tokens_that_were_not_used_are_given_back(admission: Admission) -> None:
    only = [deployment("metered", tokens=1000)]
    first = await admission.admit(None, only, tokens=900)
    assert first.reservation is not None
    assert (await admission.admit(None, only, tokens=200)).index is None
    admission.settle(first.reservation, used_tokens=750)
    assert (await admission.admit(None, only, tokens=200)).index == 0
    assert (await admission.admit(None, only, tokens=100)).index is None


@pytest.mark.parametrize("cache_is_away", [False, True])
async def test_a_request_that_was_not_sent_takes_no_capacity(
    admission: Admission, valkey: Any, cache_is_away: bool
) -> None:
    only = [deployment("spared", requests=1, tokens=1000)]
    if cache_is_away:
        valkey.kill()
    for _ in range(3):
        admitted = await admission.admit(None, only, tokens=1000)
        assert admitted.reservation is not None
        admission.cancel(admitted.reservation)
    assert (await admission.admit(None, only, tokens=1000)).index == 0
    assert (await admission.admit(None, only, tokens=1)).index is None


async def test_a_request_larger_than_the_capacity_waits_for_all_of_it(
    admission: Admission, clock: Clock
) -> None:
    only = [deployment("narrow", tokens=1000)]
    first = await admission.admit(None, only, tokens=50_000)
    assert first.reservation is not None
    assert first.reservation.tokens == 1000
    assert (await admission.admit(None, only, tokens=1)).index is None
    # What was used of it counts: more than the capacity, if it was more.
    admission.settle(first.reservation, used_tokens=4000)
    clock.now += 60
    assert (await admission.admit(None, only, tokens=1)).index is None
    clock.now += 1
    assert (await admission.admit(None, only, tokens=50_000)).index == 0


async def test_counters_are_gone_when_they_do_not_matter_any_more(admission: Admission, cache: Cache) -> None:
    await admission.admit(Caller("passing", 5), [deployment("passing", 5, 5)], tokens=1)
    keys = {key for key in await cache.send("KEYS", "gatehouse:*passing*")}
    assert len(keys) == 3
    lifetimes = await asyncio.gather(*(cache.send("TTL", key) for key in keys))
    assert all(0 < seconds <= 61 for seconds in lifetimes)


async def test_the_cache_is_asked_only_if_there_is_a_limit(cache_settings: Any, log: io.BytesIO) -> None:
    admission = Admission(Cache(cache_settings), StructuredLog(log, "info"))
    unlimited = [deployment("free"), deployment("small", 1)]
    assert await admission.admit(Caller("free"), unlimited, tokens=1) == Admitted(0)
    assert await admission.admit(None, unlimited, tokens=1) == Admitted(0)
    assert await admission.admit(None, [], tokens=1) == Admitted(None)
    assert log.getvalue() == b""


async def test_each_process_counts_by_itself_while_the_cache_is_away(
    valkey: Any, admission: Admission, cache: Cache, log: io.BytesIO, until_connected: Any
) -> None:
    caller, only = Caller("steady", 3), [deployment("steady", tokens=1000)]
    assert (await admission.admit(caller, only, tokens=100)).allowance is not None
    valkey.kill()
    for _ in range(3):
        admitted = await admission.admit(caller, only, tokens=300)
        assert admitted.index == 0
    with pytest.raises(LimitExceededError):
        await admission.admit(caller, only, tokens=1)
    assert (await admission.admit(None, only, tokens=300)).index is None
    assert admitted.reservation is not None
    admission.settle(admitted.reservation, used_tokens=0)
    assert (await admission.admit(None, only, tokens=300)).index == 0
    assert [json.loads(line)["event"] for line in log.getvalue().splitlines()] == ["limits_are_local"]
    valkey.start()
    await until_connected(cache)
    assert (await admission.admit(caller, only, tokens=1)).index == 0
    events = [json.loads(line)["event"] for line in log.getvalue().splitlines()]
    assert events == ["limits_are_local", "limits_are_shared"]
