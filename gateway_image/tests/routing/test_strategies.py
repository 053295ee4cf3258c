"""Which deployment of a tier comes first."""

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.routing.strategies import Candidate, by_weight

pytestmark = pytest.mark.anyio

_DRAWS = 2000


def by_weight_of(weights: list[float], random: Random) -> list[int]:
    """The places of candidates of these weights, as by_weight sorts them."""
    candidates = [
        Candidate(model=None, deployment=None, state=None, weight=weight, limited=False)  # type: ignore[arg-type]
        for weight in weights
    ]
    return [candidates.index(candidate) for candidate in by_weight(candidates, random)]


def assert_shares(counts: Counter[Any], shares: dict[Any, float], draws: int) -> None:
    """Each count is what chance makes of its share, to five standard deviations."""
    for name, share in shares.items():
        deviation = (draws * share * (1 - share)) ** 0.5
        assert counts[name] == pytest.approx(draws * share, abs=5 * deviation + 1)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=5), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_weights_are_kept_without_bias(weights: list[float], seed: int) -> None:
    random = Random(seed)
    firsts = Counter(by_weight_of(weights, random)[0] for _ in range(_DRAWS))
    assert_shares(firsts, {place: w / sum(weights) for place, w in enumerate(weights)}, _DRAWS)


def test_what_comes_second_is_drawn_by_weight_among_the_rest() -> None:
    random = Random(5)
    orders = [by_weight_of([6, 3, 1], random) for _ in range(_DRAWS)]
    after_the_first = Counter(order[1] for order in orders if order[0] == 0)
    assert_shares(after_the_first, {1: 3 / 4, 2: 1 / 4}, after_the_first.total())


async def firsts(world: Any, router: Any, call: Any, caller: Any, draws: int = _DRAWS) -> Counter[str]:
    counts: Counter[str] = Counter()
    for _ in range(draws):
        counts.update(await world.run(router.plan(call, caller)))
    return counts


async def test_percentages_are_kept_and_an_unavailable_share_goes_to_the_others(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    shares = {"a": 50, "b": 37.5, "c": 12.5}
    router = world.router(model("m", "a", "b", "c", strategy={"kind": "percentage", "shares": shares}))
    counts = await firsts(world, router, call(), caller)
    assert_shares(counts, {"a": 0.5, "b": 0.375, "c": 0.125}, _DRAWS)
    world.cool("a", error(429))
    assert_shares(await firsts(world, router, call(), caller), {"a": 0, "b": 0.75, "c": 0.25}, _DRAWS)


async def test_in_order_the_first_that_is_available_answers(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(model("m", "a", "b", "c", strategy={"kind": "fallback"}))
    assert await firsts(world, router, call(), caller, 20) == {"a": 20}
    world.cool("a", error(429))
    assert await firsts(world, router, call(), caller, 20) == {"b": 20}
    world.answers = {"b": error(500)}
    assert await world.run(router.plan(call(), caller)) == ["b", "c"]


def note(world: Any, name: str, *, seconds: float = 1.0, first_token_seconds: float | None = None) -> None:
    state = world.state(name)
    world.states.succeeded(
        state, began=world.now, seconds=seconds, first_token_seconds=first_token_seconds or seconds
    )


@pytest.fixture
def optimized(world: Any, model: Any) -> Any:
    def make(metric: str, *deployments: Any) -> Any:
        return world.router(model("m", *deployments, strategy={"kind": "optimized", "metric": metric}))

    return make


async def order(world: Any, router: Any, call: Any, caller: Any) -> list[str]:
    """The deployments as they are asked for capacity, when none has any."""
    world.questions.clear()
    await router.plan(call, caller).next()
    return list(world.questions[0][1])


LIMITED = [{"name": name, "capacity": {"requests_per_minute": 9}} for name in ("a", "b", "c")]


async def test_the_one_with_the_lowest_latency_comes_first(
    world: Any, optimized: Any, call: Any, caller: Any
) -> None:
    router = optimized("latency", *LIMITED)
    for name, seconds in (("a", 3.0), ("b", 1.0), ("c", 2.0)):
        note(world, name, seconds=seconds)
    assert await order(world, router, call(), caller) == ["b", "c", "a"]


async def test_time_to_first_token_is_what_streams_show(
    world: Any, optimized: Any, call: Any, caller: Any
) -> None:
    router = optimized("time_to_first_token", *LIMITED)
    note(world, "a", seconds=1, first_token_seconds=0.9)
    note(world, "b", seconds=9, first_token_seconds=0.2)
    note(world, "c", seconds=1, first_token_seconds=0.5)
    world.seconds = 20
    # Not streamed, so that its slow answers say nothing of the first token.
    for _ in range(5):
        plan = router.plan(call(), caller)
        world.attempt(plan, await plan.next())
    assert await order(world, router, call(), caller) == ["b", "c", "a"]


async def test_a_streamed_answer_counts_for_the_time_to_first_token(
    world: Any, optimized: Any, call: Any, caller: Any
) -> None:
    router = optimized("time_to_first_token", "a")
    world.seconds = 0.5
    await world.run(router.plan(call(stream=True), caller))
    assert world.state("a").figures.time_to_first_token.current(world.now) == 0.25


async def test_the_one_that_fails_least_comes_first(
    world: Any, optimized: Any, call: Any, caller: Any, error: Any
) -> None:
    router = optimized("error_rate", *LIMITED)
    for name in ("a", "b", "c"):
        for _ in range(20):
            note(world, name)
    for name, failures in (("a", 3), ("c", 1)):
        for _ in range(failures):
            world.states.failed(world.state(name), error(500, 0), began=world.now)
    assert await order(world, router, call(), caller) == ["b", "c", "a"]


async def test_the_cheapest_for_the_call_at_hand_comes_first(
    world: Any, optimized: Any, call: Any, caller: Any
) -> None:
    router = optimized(
        "cost",
        LIMITED[0] | {"price": {"input_usd": 1, "output_usd": 9}},
        LIMITED[1] | {"price": {"input_usd": 3, "output_usd": 3}},
    )
    long_question = call(body=b" " * 30_000, max_output_tokens=10)
    assert await order(world, router, long_question, caller) == ["a", "b"]
    assert await order(world, router, call(max_output_tokens=10_000), caller) == ["b", "a"]
    # Embeddings have no output, whatever the model's limit is.
    assert await order(world, router, call(operation="embeddings"), caller) == ["a", "b"]


async def test_those_as_good_as_the_best_share_the_requests(
    world: Any, optimized: Any, call: Any, caller: Any
) -> None:
    router = optimized("latency", "a", {"name": "b", "weight": 3}, "c")
    for name, seconds in (("a", 1.0), ("b", 1.05), ("c", 1.3)):
        note(world, name, seconds=seconds)
    counts: Counter[str] = Counter()
    for _ in range(400):
        target = await router.plan(call(), caller).next()
        counts[target.deployment.name] += 1
    assert_shares(counts, {"a": 0.25, "b": 0.75, "c": 0}, 400)


async def test_one_without_figures_is_tried_by_one_request_at_a_time(
    world: Any, optimized: Any, call: Any, caller: Any
) -> None:
    router = optimized("latency", "new", "known")
    note(world, "known", seconds=0.1)
    plans = [router.plan(call(), caller) for _ in range(5)]
    targets = [await plan.next() for plan in plans]
    assert [target.deployment.name for target in targets] == ["new"] + ["known"] * 4
    plans[0].succeeded(targets[0], seconds=5, first_token_seconds=5)
    target = await router.plan(call(), caller).next()
    assert target.deployment.name == "known"


@pytest.mark.parametrize("metric", ["latency", "time_to_first_token"])
async def test_one_that_callers_give_up_on_becomes_known_as_slow(
    world: Any, optimized: Any, call: Any, caller: Any, metric: str
) -> None:
    router = optimized(metric, "hangs", "known")
    note(world, "known", seconds=1)
    plan = router.plan(call(stream=True), caller)
    target = await plan.next()
    assert target.deployment.name == "hangs"
    world.now += 30
    plan.abandoned(target)
    assert (await router.plan(call(), caller).next()).deployment.name == "known"


async def test_a_long_answer_that_its_caller_ends_is_not_slow_to_begin(
    world: Any, optimized: Any, call: Any, caller: Any
) -> None:
    router = optimized("time_to_first_token", "a")
    note(world, "a", seconds=1, first_token_seconds=0.2)
    plan = router.plan(call(stream=True), caller)
    target = await plan.next()
    world.now += 30
    plan.abandoned(target, answer_begun=True)
    assert world.state("a").figures.time_to_first_token.current(world.now) == 0.2


async def test_what_was_slow_once_is_tried_again_after_five_minutes(
    world: Any, optimized: Any, call: Any, caller: Any
) -> None:
    router = optimized("latency", "a", "b")
    note(world, "a", seconds=60)
    world.now += 290
    note(world, "b", seconds=1)
    assert (await router.plan(call(), caller).next()).deployment.name == "b"
    world.now += 11
    assert (await router.plan(call(), caller).next()).deployment.name == "a"


def test_older_samples_count_less_and_one_does_not_count_much(world: Any, optimized: Any) -> None:
    optimized("latency", "a")
    latency = world.state("a").figures.latency
    for _ in range(50):
        note(world, "a", seconds=10)
    note(world, "a", seconds=1)
    assert latency.current(world.now) == pytest.approx(9.1)
    for _ in range(50):
        note(world, "a", seconds=1)
    assert latency.current(world.now) == pytest.approx(1, abs=0.05)


async def test_a_caller_that_leaves_early_does_not_make_a_deployment_look_fast(
    world: Any, optimized: Any, call: Any, caller: Any
) -> None:
    router = optimized("latency", "a")
    note(world, "a", seconds=10)
    plan = router.plan(call(), caller)
    plan.abandoned(await plan.next())
    assert world.state("a").figures.latency.current(world.now) == 10
