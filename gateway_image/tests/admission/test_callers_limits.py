"""What callers may use and are told, over several processes that share a cache."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.admission import Admission, Admitted, LimitExceededError, Needs
from gateway.anthropic.rate_limits import allowance_headers as anthropic_headers
from gateway.callers import Caller, Project, Role, Subject
from gateway.limits import NANO_USD, Limits
from gateway.openai.rate_limits import allowance_headers as openai_headers

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[Any]]
MODEL = "chat"
NOTHING = Needs()


def caller(name: str, roles: tuple[Role, ...] = (), project: Project | None = None, **limits: Any) -> Caller:
    return Caller(f"key_{name}", name, "key", roles=roles, project=project, limits=Limits(**limits))


async def passes(admission: Admission, who: Caller, needs: Needs = NOTHING, model: str = MODEL) -> bool:
    try:
        admitted = await admission.admit(who, [], model=model, needs=needs)
    except LimitExceededError:
        return False
    assert admitted.caller_reservation is not None
    return True


async def refusal(admission: Admission, who: Caller, needs: Needs = NOTHING) -> LimitExceededError:
    with pytest.raises(LimitExceededError) as raised:
        await admission.admit(who, [], model=MODEL, needs=needs)
    return raised.value


@pytest.mark.parametrize(
    ("limits", "needs"),
    [
        ({"requests_per_minute": 100}, Needs()),
        ({"requests_per_day": 100}, Needs()),
        ({"tokens_per_minute": 1000}, Needs(tokens=10)),
        ({"tokens_per_month": 1000}, Needs(tokens=10)),
        ({"usd_total": 0.001}, Needs(nano_usd=10_000)),
    ],
)
async def test_exactly_the_limit_passes_over_connections(
    start_process: Start, limits: Any, needs: Any
) -> None:
    processes = [await start_process() for _ in range(4)]
    # Each has found the caller itself, and asks for many at a time.
    outcomes = await asyncio.gather(
        *(passes(process.admission, caller("many", **limits), needs) for process in processes * 60)
    )
    assert sum(outcomes) == 100


async def test_a_budget_is_never_exceeded_while_requests_end(start_process: Start) -> None:
    """Each request reserves more than it uses; what is used and reserved together never exceeds the limit."""
    processes = [await start_process() for _ in range(3)]
    admissions = [process.admission for process in processes]
    who, reserved, used, refused = caller("spender", usd_per_day=0.001), 0, 0, 0

    async def spend(admission: Admission, seed: int) -> None:
        nonlocal reserved, used, refused
        needs = Needs(nano_usd=20_000 + seed * 7)
        for _ in range(40):
            try:
                admitted = await admission.admit(who, [], model=MODEL, needs=needs)
            except LimitExceededError:
                refused += 1
                continue
            reserved += needs.nano_usd
            assert reserved + used <= 1_000_000
            await asyncio.sleep(0)
            actual = needs.nano_usd * (seed % 5) // 4
            assert admitted.caller_reservation is not None
            admission.settle_caller(admitted.caller_reservation, Needs(nano_usd=actual))
            reserved -= needs.nano_usd
            used += actual

    await asyncio.gather(*(spend(admissions[n % 3], n) for n in range(30)))
    assert refused > 0
    for process in processes:
        # What was settled has arrived.
        await process.cache.send("PING")
    assert await standing_of(admissions[0], who) == {"usd_per_day": used}
    assert not await passes(admissions[0], who, Needs(nano_usd=1_000_000 - used + 1))


async def standing_of(admission: Admission, who: Caller) -> dict[str, int]:
    return {each.name: each.used for each in await admission.standing(who.limits_on(MODEL))}


async def test_what_was_used_replaces_what_was_reserved(admission: Admission, clock: Any, until: Any) -> None:
    who = caller("settled", tokens_per_minute=1000, tokens_per_hour=2000, tokens_per_day=3000, usd_total=1)
    admitted = await admission.admit(who, [], model=MODEL, needs=Needs(900, NANO_USD))
    assert await standing_of(admission, who) == {
        "tokens_per_minute": 900,
        "tokens_per_hour": 900,
        "tokens_per_day": 900,
        "usd_total": NANO_USD,
    }
    assert not await passes(admission, who, Needs(200, 0))
    assert admitted.caller_reservation is not None
    admission.settle_caller(admitted.caller_reservation, Needs(750, 5))
    used = {"tokens_per_minute": 750, "tokens_per_hour": 750, "tokens_per_day": 750, "usd_total": 5}
    assert await standing_of(admission, who) == used
    assert await passes(admission, who, Needs(250, NANO_USD - 5))
    assert not await passes(admission, who, Needs(1, 0))


async def test_more_than_was_reserved_is_counted_in_full(admission: Admission) -> None:
    who = caller("overrun", tokens_per_minute=1000, tokens_per_week=1000)
    admitted = await admission.admit(who, [], model=MODEL, needs=Needs(10))
    assert admitted.caller_reservation is not None
    admission.settle_caller(admitted.caller_reservation, Needs(4000))
    assert await standing_of(admission, who) == {"tokens_per_minute": 4000, "tokens_per_week": 4000}
    assert not await passes(admission, who)


async def test_what_a_killed_process_held_comes_back(admission: Admission, clock: Any) -> None:
    who = caller("forlorn", tokens_per_month=1000)
    assert await passes(admission, who, Needs(600))
    clock.now += 600
    assert await passes(admission, who, Needs(300))
    clock.now += 599
    assert not await passes(admission, who, Needs(101))
    # The lease of the first ends within a minute after twenty.
    clock.now += 61
    assert await passes(admission, who, Needs(700))
    assert not await passes(admission, who, Needs(1))


async def test_nothing_is_settled_in_the_next_period(admission: Admission, clock: Any) -> None:
    clock.now = 1_798_761_599  # the last second of 2026
    who = caller("late", tokens_per_day=1000, tokens_per_minute=1000)
    admitted = await admission.admit(who, [], model=MODEL, needs=Needs(1000))
    assert admitted.second == clock.now
    assert not await passes(admission, who, Needs(1))
    clock.now += 1
    assert not await passes(admission, who, Needs(1)), "the minute rolls"
    clock.now += 60
    assert await passes(admission, who, Needs(400))
    assert admitted.caller_reservation is not None
    admission.settle_caller(admitted.caller_reservation, Needs(1))
    assert await standing_of(admission, who) == {"tokens_per_minute": 400, "tokens_per_day": 400}


async def test_what_is_refused_is_not_counted(admission: Admission, deployment: Any) -> None:
    who, full = caller("careful", requests_per_minute=2, tokens_per_day=100), deployment("full", 1)
    needs = Needs(tokens=10)
    assert (await admission.admit(who, [full], model=MODEL, needs=needs)).index == 0
    for _ in range(5):
        refused = await admission.admit(who, [full], model=MODEL, needs=needs)
        assert refused.index is None
        assert refused.caller_reservation is None
        assert refused.retry_after_seconds == 61
        assert refused.allowances is not None
        assert refused.allowances.requests is not None
        assert refused.allowances.requests.remaining == 1
    assert not await passes(admission, who, Needs(tokens=91))
    assert await standing_of(admission, who) == {"requests_per_minute": 1, "tokens_per_day": 10}
    spare = deployment("spare", 1)
    assert (await admission.admit(who, [full, spare], model=MODEL, needs=needs)).index == 1
    with pytest.raises(LimitExceededError):
        await admission.admit(who, [deployment("other", 1)], model=MODEL, needs=needs)
    assert (await admission.admit(None, [deployment("other", 1)], model=MODEL, needs=needs)).index == 0


async def test_of_several_roles_the_most_generous_counts_and_projects_pool(admission: Admission) -> None:
    small = Role("small", limits=Limits(requests_per_day=2), model_limits={"*": Limits(requests_per_hour=1)})
    large = Role("large", limits=Limits(requests_per_day=3), model_limits={"*": Limits(requests_per_hour=2)})
    team = Project("proj_1", "team", limits=Limits(requests_per_day=5))
    first, second = (caller(name, (small, large), team) for name in ("first", "second"))
    assert [await passes(admission, first) for _ in range(3)] == [True, True, False]
    # Every model has an allowance of its own, below the one of all of them.
    assert [await passes(admission, first, model="other") for _ in range(2)] == [True, False]
    assert [await passes(admission, second) for _ in range(2)] == [True, True]
    assert not await passes(admission, second, model="other"), "the project's five are used up"
    error = await refusal(admission, second)
    assert "project 'team'" in error.message


async def test_a_refusal_tells_whose_limit_and_when_to_come_back(admission: Admission, clock: Any) -> None:
    clock.now = 1_800_000_000 - 1_800_000_000 % 86_400 + 80_000
    who = caller("told", tokens_per_day=10_000)
    assert await passes(admission, who, Needs(9_000))
    error = await refusal(admission, who, Needs(2_000))
    assert (error.status, error.type, error.code) == (429, "tokens", "rate_limit_exceeded")
    # Only what the other request has reserved is in the way.
    assert error.retry_after_seconds == 5
    assert error.message == (
        "tokens_per_day of caller 'told' is limited to 10000 tokens: 1000 tokens left, and the request may "
        "need 2000 tokens; try again in 5 s."
    )
    assert not error.is_final
    busy = caller("busy", requests_per_day=1)
    assert await passes(admission, busy)
    assert (await refusal(admission, busy)).retry_after_seconds == 6_400


async def test_a_budget_that_is_spent_for_good_is_final(admission: Admission, sums: Any) -> None:
    who = caller("spent", usd_total=2.5)
    sums.held[Subject("caller", who.id, None)] = {"usd_total": 2_400_000_000}
    error = await refusal(admission, who, Needs(nano_usd=200_000_000))
    assert error.retry_after_seconds is None
    assert error.is_final
    assert error.type == "usd"
    assert error.message == (
        "usd_total of caller 'spent' is limited to 2.50 USD: 0.10 USD left, and the request may need "
        "0.20 USD; ask for a higher limit."
    )


async def test_a_request_larger_than_a_limit_is_told_so_at_once(admission: Admission, sums: Any) -> None:
    role = Role("small", model_limits={MODEL: Limits(tokens_per_minute=1000)})
    who = caller("large", (role,), tokens_per_day=5000)
    error = await refusal(admission, who, Needs(tokens=1001))
    assert error.retry_after_seconds is None
    assert error.is_final
    assert error.message == (
        "The request may need 1001 tokens, and tokens_per_minute of caller 'large' on model 'chat' is "
        "limited to 1000 tokens, so it can never pass; lower max_tokens or shorten the prompt."
    )
    assert sums.questions == []


async def test_the_wait_is_the_longest_of_all_that_refuse(admission: Admission, clock: Any) -> None:
    clock.now = 1_800_000_000 - 1_800_000_000 % 3600
    who = caller("waiting", requests_per_minute=1, requests_per_hour=1)
    assert await passes(admission, who)
    error = await refusal(admission, who)
    assert error.retry_after_seconds == 3660
    assert error.message.startswith("requests_per_hour of caller 'waiting'")


async def test_headers_tell_of_the_limits_of_which_least_is_left(admission: Admission, clock: Any) -> None:
    clock.now = 1_800_000_000 - 1_800_000_000 % 86_400 + 60_000
    limits = Limits(
        requests_per_minute=10, requests_per_day=4, tokens_per_minute=1000, tokens_per_day=100_000
    )
    who = Caller("key_headers", "headers", "key", limits=limits)
    admitted = await admission.admit(who, [], model=MODEL, needs=Needs(tokens=300, nano_usd=5))
    assert admitted.allowances is not None
    assert openai_headers(admitted.allowances) == [
        (b"x-ratelimit-limit-requests", b"4"),
        (b"x-ratelimit-remaining-requests", b"3"),
        (b"x-ratelimit-reset-requests", b"7h20m0s"),
        (b"x-ratelimit-limit-tokens", b"1000"),
        (b"x-ratelimit-remaining-tokens", b"700"),
        (b"x-ratelimit-reset-tokens", b"1m1s"),
    ]
    names = [name for name, _ in anthropic_headers(admitted.allowances)]
    assert names == [
        b"anthropic-ratelimit-requests-limit",
        b"anthropic-ratelimit-requests-remaining",
        b"anthropic-ratelimit-requests-reset",
        b"anthropic-ratelimit-tokens-limit",
        b"anthropic-ratelimit-tokens-remaining",
        b"anthropic-ratelimit-tokens-reset",
    ]
    money = await admission.admit(caller("money", usd_total=1), [], model=MODEL, needs=Needs())
    assert money.allowances is not None
    assert openai_headers(money.allowances) == []
    assert anthropic_headers(money.allowances) == []


async def test_the_cache_is_asked_only_if_there_is_a_limit(
    process: Any, valkey: Any, clock: Any, deployment: Any, log: Any
) -> None:
    valkey.kill()
    unlimited, admission = [deployment("free"), deployment("small", 1)], process.admission
    for who in (caller("free"), None):
        admitted = await admission.admit(who, unlimited, model=MODEL, needs=Needs(1, 1))
        assert admitted == Admitted(0, clock.now)
    assert await admission.admit(None, [], model=MODEL, needs=Needs()) == Admitted(None, clock.now)
    assert log.events == []


async def test_all_keys_are_the_gateways_and_end_by_themselves(process: Any, deployment: Any) -> None:
    every: dict[str, Any] = {
        name: 10**6 if name.startswith("usd") else 10**12 for name in Limits.model_fields
    }
    who = caller("passing", **every)
    admitted = await process.admission.admit(who, [deployment("d", 5, 5)], model=MODEL, needs=Needs(1, 1))
    assert admitted.index == 0
    keys = [key for key in await process.cache.send("KEYS", "*") if key != b"gatehouse:{limits}:clock"]
    assert len(keys) == len(Limits.model_fields) + 2
    assert all(key.startswith(b"gatehouse:{limits}:") for key in keys)
    lifetimes = await asyncio.gather(*(process.cache.send("TTL", key) for key in keys))
    assert all(0 < seconds <= 32 * 86_400 for seconds in lifetimes)
