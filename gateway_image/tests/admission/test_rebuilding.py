"""Calendar windows and the ledger: what the cache forgot comes back, and nothing is counted twice."""

import asyncio
from typing import Any

import pytest

from gateway.admission import Admission, LimitExceededError, Needs
from gateway.callers import Caller, Subject
from gateway.errors import GatewayError
from gateway.limits import Limits

pytestmark = pytest.mark.anyio

MODEL = "chat"


def caller(name: str, **limits: Any) -> Caller:
    return Caller(f"key_{name}", name, "key", limits=Limits(**limits))


def subject(who: Caller) -> Subject:
    return Subject("caller", who.id, None)


async def passes(admission: Admission, who: Caller, tokens: int) -> bool:
    try:
        await admission.admit(who, [], model=MODEL, needs=Needs(tokens))
    except LimitExceededError:
        return False
    return True


async def used(admission: Admission, who: Caller) -> list[int]:
    return [each.used for each in await admission.standing(who.limits_on(MODEL))]


async def test_a_window_that_is_not_there_is_made_from_the_ledger(
    admission: Admission, sums: Any, clock: Any
) -> None:
    who = caller("known", tokens_per_day=1000, tokens_per_month=5000, requests_per_minute=100)
    sums.held[subject(who)] = {"tokens_per_day": 700, "tokens_per_month": 4000}
    assert await used(admission, who) == [0, 700, 4000]
    assert len(sums.questions) == 1
    sums.questions.clear()
    assert await passes(admission, who, 200)
    assert not await passes(admission, who, 101)
    assert await passes(admission, who, 100)
    assert await used(admission, who) == [2, 1000, 4300]
    assert sums.questions == [(subject(who), clock.now)]


async def test_those_who_ask_at_the_same_time_share_one_question(process: Any, sums: Any) -> None:
    admission = process.admission
    who = caller("asked-once", tokens_per_day=1000)
    sums.held[subject(who)] = {"tokens_per_day": 900}
    sums.may_answer.clear()
    asking = [asyncio.create_task(passes(admission, who, 10)) for _ in range(50)]
    leaving = asyncio.create_task(passes(admission, who, 10))
    await asyncio.sleep(0)
    await process.cache.send("PING")
    for _ in range(20):
        # All have their replies now, and each needs a few turns to see that it has to wait.
        await asyncio.sleep(0)
    leaving.cancel()
    sums.may_answer.set()
    assert sum(await asyncio.gather(*asking)) == 10
    assert len(sums.questions) == 1
    assert await used(admission, who) == [1000]


async def test_a_cache_that_forgot_everything_learns_it_again(process: Any, sums: Any) -> None:
    admission, who = process.admission, caller("forgotten", tokens_per_week=1000, tokens_per_hour=1000)
    held = await admission.admit(who, [], model=MODEL, needs=Needs(600))
    await process.cache.send("FLUSHALL")
    sums.held[subject(who)] = {"tokens_per_week": 500}
    assert await passes(admission, who, 100)
    # What was reserved in the state that is lost is not counted in the new one: the ledger will tell.
    admission.settle_caller(held.caller_reservation, Needs(550))
    assert await used(admission, who) == [100, 600]


async def test_an_answer_of_the_ledger_that_comes_after_midnight_is_of_yesterday(
    admission: Admission, sums: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    midnight = clock.now = clock.now - clock.now % 86_400
    clock.now -= 1

    async def used_until_then(_subject: Subject, at: int) -> dict[str, int]:
        clock.now = midnight
        return {"tokens_per_day": 1000 if at < midnight else 300}

    monkeypatch.setattr(sums, "used", used_until_then)
    who = caller("at-midnight", tokens_per_day=1000)
    assert await passes(admission, who, 700)
    assert not await passes(admission, who, 1)


async def test_windows_are_raised_to_the_ledger_once_a_minute_and_never_lowered(
    admission: Admission, sums: Any, clock: Any, until: Any
) -> None:
    who = caller("compared", tokens_per_day=1000)
    assert await passes(admission, who, 100)
    assert len(sums.questions) == 1
    # Settlements of another process were lost on their way to the cache.
    sums.held[subject(who)] = {"tokens_per_day": 500}
    clock.now += 59
    assert await passes(admission, who, 0)
    assert len(sums.questions) == 1
    clock.now += 1
    assert await passes(admission, who, 0)

    async def is_raised() -> bool:
        return await used(admission, who) == [600]

    await until(is_raised)
    assert len(sums.questions) == 2
    assert not await passes(admission, who, 401)
    sums.held[subject(who)] = {"tokens_per_day": 3}
    clock.now += 60
    assert await passes(admission, who, 0)

    async def is_compared() -> bool:
        return len(sums.questions) == 3

    await until(is_compared)
    assert await used(admission, who) == [600]


async def test_one_process_compares_for_all(start_process: Any, sums: Any, clock: Any, until: Any) -> None:
    admissions = [(await start_process()).admission for _ in range(3)]
    who = caller("compared-once", tokens_per_day=1000)
    assert await passes(admissions[0], who, 1)
    clock.now += 61
    sums.questions.clear()
    await asyncio.gather(*(passes(admission, who, 1) for admission in admissions * 20))

    async def is_compared() -> bool:
        return bool(sums.questions)

    await until(is_compared)
    assert len(sums.questions) == 1


@pytest.mark.parametrize("when_cache_is_away", ["local", "open"])
async def test_without_the_ledger_a_window_begins_at_nothing_until_it_is_back(
    start_process: Any, sums: Any, clock: Any, until: Any, when_cache_is_away: str
) -> None:
    admission = (await start_process(when_cache_is_away)).admission
    who = caller(f"unknown-{when_cache_is_away}", tokens_per_day=1000)
    sums.is_away = True
    assert await passes(admission, who, 100)
    # Requests do not wait for the ledger any more.
    assert await passes(admission, who, 100)
    sums.is_away = False
    sums.held[subject(who)] = {"tokens_per_day": 950}
    clock.now += 10
    await passes(admission, who, 0)

    async def is_raised() -> bool:
        return await used(admission, who) == [1150]

    await until(is_raised)
    assert not await passes(admission, who, 1)


async def test_without_the_ledger_a_closed_gateway_refuses(start_process: Any, sums: Any) -> None:
    admission = (await start_process("closed")).admission
    sums.is_away = True
    with pytest.raises(GatewayError) as raised:
        await passes(admission, caller("shut", tokens_per_day=1000), 1)
    error = raised.value
    assert (error.status, error.code, error.retry_after_seconds) == (503, "limits_unavailable", 5)
    # Minutes need no ledger.
    assert await passes(admission, caller("minutes", tokens_per_minute=1000), 1)


async def test_a_new_period_begins_at_nothing_without_a_question(
    admission: Admission, sums: Any, clock: Any
) -> None:
    who = caller("overnight", tokens_per_day=1000)
    sums.held[subject(who)] = {"tokens_per_day": 1000}
    assert not await passes(admission, who, 1)
    clock.now += 86_400
    assert await passes(admission, who, 1000)
    assert not await passes(admission, who, 1)


async def test_a_clock_that_is_set_back_over_midnight_asks_the_ledger(
    admission: Admission, sums: Any, clock: Any
) -> None:
    clock.now = 1_800_000_000 - 1_800_000_000 % 86_400
    who = caller("back-again", tokens_per_day=1000)
    assert await passes(admission, who, 1000)
    clock.now -= 1
    sums.held[subject(who)] = {"tokens_per_day": 400}
    assert not await passes(admission, who, 601)
    assert await passes(admission, who, 600)


async def test_a_cache_that_keeps_nothing_is_as_good_as_none(process: Any, sums: Any, log: Any) -> None:
    who = caller("evicted", tokens_per_day=1000)
    post = process.cache.post

    def post_and_forget(*words: Any) -> None:
        post(*words)
        post("FLUSHALL")

    process.cache.post = post_and_forget
    assert await passes(process.admission, who, 1000)
    assert not await passes(process.admission, who, 1)
    assert "limits_are_local" in log.events
