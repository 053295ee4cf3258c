"""The cache is away, hangs, comes back, or answers a caller that has left."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.admission import Admission, LimitExceededError, Needs
from gateway.cache.errors import CacheUnavailableError
from gateway.callers import Caller, Subject
from gateway.errors import GatewayError
from gateway.limits import Limits

pytestmark = pytest.mark.anyio

MODEL = "chat"


def caller(name: str, **limits: Any) -> Caller:
    return Caller(f"key_{name}", name, "key", limits=Limits(**limits))


async def passes(admission: Admission, who: Caller, tokens: int = 0) -> bool:
    try:
        await admission.admit(who, [], model=MODEL, needs=Needs(tokens))
    except LimitExceededError:
        return False
    return True


async def count(admission: Admission, who: Caller, tokens: int = 0, *, of: int = 60) -> int:
    return sum([await passes(admission, who, tokens) for _ in range(of)])


@pytest.fixture
async def three(start_process: Any, until: Any) -> list[Any]:
    """Three processes that know of each other."""
    processes = [await start_process() for _ in range(3)]
    for _ in range(2):
        for process in processes:
            assert await process.admission._heartbeat._beat()
    return processes


async def test_each_process_keeps_to_its_share(three: list[Any], valkey: Any, sums: Any, log: Any) -> None:
    valkey.kill()
    who = caller("shared-out", requests_per_minute=30)
    assert [await count(process.admission, who) for process in three] == [10, 10, 10]
    assert log.events == ["limits_are_local"] * 3


async def test_a_share_is_one_request_at_least(three: list[Any], valkey: Any) -> None:
    valkey.kill()
    who = caller("little", requests_per_minute=2, requests_per_day=2)
    assert [await count(process.admission, who) for process in three] == [1, 1, 1]


async def test_of_a_calendar_window_what_the_ledger_says_is_left_is_shared(
    three: list[Any], valkey: Any, sums: Any, clock: Any
) -> None:
    who = caller("rest", tokens_per_day=1000)
    sums.held[Subject("caller", who.id, None)] = {"tokens_per_day": 400}
    assert await passes(three[0].admission, who, 5)
    valkey.kill()
    assert [await count(process.admission, who, 50) for process in three] == [4, 4, 4]
    with pytest.raises(LimitExceededError) as raised:
        await three[0].admission.admit(who, [], model=MODEL, needs=Needs(50))
    # The whole limit may have room: the cache may be back soon.
    assert raised.value.retry_after_seconds is not None
    assert raised.value.retry_after_seconds <= 30
    clock.now += 86_400
    assert await count(three[0].admission, who, 111) == 3, "the next day's share of all"


async def test_a_budget_that_is_used_up_in_the_ledger_is_so_without_the_cache(
    three: list[Any], valkey: Any, sums: Any
) -> None:
    who = caller("broke", requests_per_day=7)
    sums.held[Subject("caller", who.id, None)] = {"requests_per_day": 7}
    valkey.kill()
    assert [await count(process.admission, who, of=3) for process in three] == [0, 0, 0]


async def test_without_the_ledger_too_a_process_begins_at_nothing(
    three: list[Any], valkey: Any, sums: Any
) -> None:
    who = caller("alone", tokens_per_month=900)
    sums.is_away = True
    valkey.kill()
    assert [await count(process.admission, who, 100) for process in three] == [3, 3, 3]


async def test_what_was_not_used_locally_is_given_back(process: Any, valkey: Any) -> None:
    admission, who = process.admission, caller("thrifty", tokens_per_minute=100, tokens_per_day=100)
    valkey.kill()
    for _ in range(5):
        admitted = await admission.admit(who, [], model=MODEL, needs=Needs(60))
        assert not await passes(admission, who, 41)
        assert admitted.caller_reservation is not None
        assert admitted.caller_reservation.local
        admission.settle_caller(admitted.caller_reservation, Needs(10))
    assert await passes(admission, who, 50)
    assert not await passes(admission, who, 1)


async def test_an_open_gateway_enforces_no_limits_of_callers(
    start_process: Any, valkey: Any, deployment: Any
) -> None:
    admission = (await start_process("open")).admission
    who, only = caller("open", requests_per_minute=1, tokens_per_day=1), [deployment("counted", 3)]
    valkey.kill()
    admitted = [await admission.admit(who, only, model=MODEL, needs=Needs(1)) for _ in range(5)]
    assert [each.index for each in admitted] == [0, 0, 0, None, None]
    assert all(each.caller_reservation is None and each.allowances is None for each in admitted)


async def test_a_closed_gateway_refuses_callers_with_limits(
    start_process: Any, valkey: Any, deployment: Any
) -> None:
    admission = (await start_process("closed")).admission
    valkey.kill()
    with pytest.raises(GatewayError) as raised:
        await passes(admission, caller("closed", requests_per_minute=1))
    error = raised.value
    assert (error.status, error.code, error.retry_after_seconds) == (503, "limits_unavailable", 5)
    only = [deployment("counted", 1)]
    free = caller("free")
    assert (await admission.admit(free, only, model=MODEL, needs=Needs(1))).index == 0
    assert (await admission.admit(free, only, model=MODEL, needs=Needs(1))).index is None


async def test_limits_are_shared_again_when_the_cache_is_back(
    process: Any, valkey: Any, log: Any, sums: Any
) -> None:
    admission, who = process.admission, caller("steady", requests_per_minute=3)
    assert await passes(admission, who)
    valkey.kill()
    assert await count(admission, who) == 3
    valkey.start()
    await process.until_connected()
    assert await count(admission, who) == 3
    assert log.events == ["limits_are_local", "limits_are_shared"]


async def test_a_second_outage_does_not_begin_with_a_new_minute(process: Any, valkey: Any) -> None:
    admission, who = process.admission, caller("twice", requests_per_minute=3, tokens_per_day=100)
    for _ in range(2):
        valkey.kill()
        await count(admission, who, 1)
        valkey.start()
        await process.until_connected()
        assert await passes(admission, who)
    valkey.kill()
    assert await count(admission, who) == 0


async def test_a_second_outage_begins_with_what_the_ledger_says_then(
    process: Any, valkey: Any, sums: Any
) -> None:
    admission, who = process.admission, caller("later", tokens_per_day=100)
    valkey.kill()
    assert await passes(admission, who, 1)
    valkey.start()
    await process.until_connected()
    sums.held[Subject("caller", who.id, None)] = {"tokens_per_day": 80}
    assert await passes(admission, who, 1)
    valkey.kill()
    assert not await passes(admission, who, 21)
    assert await passes(admission, who, 20)


async def test_a_cache_that_hangs_holds_nobody_up(
    impatience: None, process: Any, valkey: Any, freeze: Any, until: Any, log: Any
) -> None:
    """Its connection is given up; what it had been sent by then it may still do."""
    admission, who = process.admission, caller("hung", requests_per_day=5, tokens_per_minute=100)
    assert await passes(admission, who, 10)
    freeze(valkey)
    async with asyncio.timeout(30):
        assert await passes(admission, who, 10)
    assert "limits_are_local" in log.events
    valkey.process.send_signal(signal.SIGCONT)
    await process.until_connected()
    assert await passes(admission, who, 10)
    assert log.events[-1] == "limits_are_shared"


class SlowCache:
    """Holds back the replies to what is sent through a cache until they are let go, perhaps too late."""

    def __init__(self, cache: Any) -> None:
        self.was_sent = asyncio.Event()
        self._send = cache.send
        self._gate = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._replies: list[asyncio.Future[Any]] = []
        cache.send = self.send

    def send(self, *words: Any, on_late: Any = None) -> "asyncio.Future[Any]":
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._replies.append(reply)
        self.was_sent.set()
        self._tasks.append(asyncio.create_task(self._pass_on(words, reply, on_late)))
        return reply

    async def _pass_on(self, words: Any, reply: "asyncio.Future[Any]", on_late: Any) -> None:
        result = await self._send(*words)
        await self._gate.wait()
        if not reply.done():
            reply.set_result(result)
        elif on_late is not None:
            on_late(result)

    def give_up(self) -> None:
        for reply in self._replies:
            reply.set_exception(CacheUnavailableError("the cache does not reply in time"))

    def let_go(self) -> None:
        self._gate.set()


@pytest.mark.parametrize("leaves", [True, False])
async def test_what_is_answered_too_late_is_given_back(
    start_process: Callable[..., Awaitable[Any]], deployment: Any, until: Any, leaves: bool
) -> None:
    """Whether the caller left meanwhile or the process has gone on by itself."""
    admission = (await start_process()).admission
    slow_process = await start_process()
    who = caller(
        "patient", requests_per_minute=5, requests_per_day=5, tokens_per_hour=100, tokens_per_day=100
    )
    only = [deployment("slow", requests=1, tokens=100)]
    assert await passes(admission, who, 10)
    before = await admission.standing(who.limits_on(MODEL))
    slow = SlowCache(slow_process.cache)
    asking = asyncio.create_task(slow_process.admission.admit(who, only, model=MODEL, needs=Needs(90)))
    await slow.was_sent.wait()
    if leaves:
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
    else:
        slow.give_up()
        admitted = await asking
        assert admitted.caller_reservation is not None
        assert admitted.caller_reservation.local

    async def is_counted() -> bool:
        return [each.used for each in await admission.standing(who.limits_on(MODEL))] == [2, 2, 100, 100]

    await until(is_counted)
    assert (await admission.admit(None, only, model=MODEL, needs=Needs(1))).index is None
    slow.let_go()

    async def is_given_back() -> bool:
        now = await admission.standing(who.limits_on(MODEL))
        return [each.used for each in now] == [each.used for each in before]

    await until(is_given_back)
    assert (await admission.admit(None, only, model=MODEL, needs=Needs(100))).index == 0


async def test_a_refusal_that_comes_too_late_gives_nothing_back(start_process: Any, until: Any) -> None:
    admission, slow_process = (await start_process()).admission, await start_process()
    who = caller("refused", requests_per_day=1)
    assert await passes(admission, who)
    slow = SlowCache(slow_process.cache)
    asking = asyncio.create_task(passes(slow_process.admission, who))
    await slow.was_sent.wait()
    asking.cancel()
    await asyncio.wait([asking])
    slow.let_go()
    await asyncio.sleep(0.05)
    assert [each.used for each in await admission.standing(who.limits_on(MODEL))] == [1]


async def test_processes_that_are_gone_do_not_count(three: list[Any], clock: Any, until: Any) -> None:
    heartbeats = [process.admission._heartbeat for process in three]
    assert [each.processes for each in heartbeats] == [3, 3, 3]
    clock.now += 16
    assert await heartbeats[0]._beat()
    assert heartbeats[0].processes == 1
    keeping = asyncio.create_task(three[1].admission.keep_heartbeat())

    async def is_heard() -> bool:
        return bool(heartbeats[1].processes == 2)

    await until(is_heard)
    # A process that stops says so.
    keeping.cancel()
    await asyncio.wait([keeping])
    await three[1].cache.send("PING")
    assert await heartbeats[0]._beat()
    assert heartbeats[0].processes == 1
