"""The attempts of one request, and what its caller is told when none of them led to an answer."""

from typing import Any

import pytest

from gateway.errors import GatewayError

pytestmark = pytest.mark.anyio


async def test_another_deployment_is_tried_at_once(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(model("m", "a", "b", "c", strategy={"kind": "fallback"}))
    world.answers = {"a": error(503), "b": error(429)}
    plan = router.plan(call(), caller)
    assert await world.run(plan) == ["a", "b", "c"]
    assert plan.attempts == 3
    assert world.pauses == []


async def test_the_next_tier_serves_only_when_the_one_below_cannot(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    capacity = {"capacity": {"requests_per_minute": 3}}
    first = [{"name": "a", "weight": 1} | capacity, {"name": "b", "weight": 1000} | capacity]
    router = world.router(model("m", *first, {"name": "c", "tier": 1}, {"name": "d", "tier": 2}))
    world.cool("b", error(429))
    assert {name for _ in range(20) for name in await world.run(router.plan(call(), caller))} == {"a"}
    world.full = {"a"}
    assert await world.run(router.plan(call(), caller)) == ["c"]
    world.cool("c", error(500))
    assert await world.run(router.plan(call(), caller)) == ["d"]


async def test_one_question_covers_the_caller_and_every_candidate(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    def limited(name: str, tier: int) -> dict[str, Any]:
        return {"name": name, "tier": tier, "capacity": {"tokens_per_minute": 9999}}

    models = model("m", limited("a", 0), limited("b", 1), {"name": "c", "tier": 2}, {"name": "d", "tier": 3})
    router = world.router(models | {"max_output_tokens": 500})
    world.full, world.answers = {"a"}, {"b": error(500)}
    request = call(body=b" " * 300)
    assert await world.run(router.plan(request, caller)) == ["b", "c"]
    # Nothing is asked about what stands behind a deployment without a limit; the caller is counted once.
    tokens = request.estimated_input_tokens + 500
    assert world.questions == [("ann", ["a", "b", "c"], tokens), (None, ["a", "c"], tokens)]


async def test_what_a_request_reserved_and_did_not_use_is_given_back(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    limited = [{"name": name, "capacity": {"tokens_per_minute": 9999}} for name in "abcd"]
    router = world.router(model("m", *limited, strategy={"kind": "fallback"}))
    request = call(max_output_tokens=99)
    plan = router.plan(request, caller)
    plan.unsuitable(await plan.next(), error(400))
    plan.failed(await plan.next(), error(500))
    plan.failed(await plan.next(), error(502), used_tokens=7)
    plan.succeeded(await plan.next(), seconds=1, first_token_seconds=1, used_tokens=42)
    assert world.cancelled == ["a"]
    reserved = request.estimated_input_tokens + 99
    assert world.settled == [("b", reserved, 0), ("c", reserved, 7), ("d", reserved, 42)]
    # What an attempt used that nobody saw the end of stays counted as reserved.
    plan = router.plan(call(), caller)
    plan.abandoned(await plan.next())
    assert len(world.settled) == 3


async def test_requests_under_way_are_known(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(model("m", "a"))
    plans = [router.plan(call(), caller) for _ in range(4)]
    targets = [await plan.next() for plan in plans]
    assert world.state("a").in_flight == 4
    plans[0].succeeded(targets[0], seconds=1, first_token_seconds=1)
    plans[1].failed(targets[1], error(500))
    plans[2].unsuitable(targets[2], error(400))
    plans[3].abandoned(targets[3])
    assert world.state("a").in_flight == 0


async def test_a_caller_over_its_limit_calls_nothing(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(model("m", "a", fallbacks=["n"]), model("n", "b"))
    world.caller_refused = error(429, 9)
    plan = router.plan(call(), caller)
    with pytest.raises(GatewayError, match="status 429"):
        await plan.next()
    assert plan.attempts == 0


async def test_a_request_that_was_counted_nowhere_is_still_to_be_counted_for_its_caller(
    world: Any, model: Any, call: Any, caller: Any
) -> None:
    router = world.router(
        model("m", {"name": "a", "capacity": {"requests_per_minute": 1}}, fallbacks=["n"]), model("n", "b")
    )
    world.full = {"a"}
    assert await world.run(router.plan(call(), caller)) == ["b"]
    assert [name for name, _, _ in world.questions] == ["ann", "ann"]


async def test_when_all_are_cooling_the_one_due_back_soonest_is_tried_once(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(model("m", "a", "b", fallbacks=["n"]), model("n", "c", "d"))
    for name, seconds in (("a", 50), ("b", 20), ("c", 9), ("d", 30)):
        world.cool(name, error(503, seconds))
        world.answers[name] = error(503)
    plan = router.plan(call(), caller)
    assert await world.run(plan) == ["b", "c"]
    assert world.pauses == []
    world.answers = {}
    assert await world.run(router.plan(call(), caller)) == ["b"]
    assert world.state("b").cooling_until <= world.now


async def test_only_one_request_waits_for_a_cooling_deployment_while_there_is_a_stand_in(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(model("m", "a", fallbacks=["n"]), model("n", "b"))
    world.cool("a", error(504))
    plans = [router.plan(call(), caller) for _ in range(3)]
    targets = [await plan.next() for plan in plans]
    assert [target.deployment.name for target in targets] == ["a", "b", "b"]
    # Without another deployment to ask, it is tried all the same.
    world.cool("b", error(503, 60))
    plan = router.plan(call(), caller)
    targets = [await plan.next()]
    plan.failed(targets[0], error(504))
    targets.append(await plan.next())
    assert [target.deployment.name for target in targets] == ["a", "b"]


async def test_a_deployment_that_is_free_comes_before_one_that_is_cooling(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(model("m", "a", {"name": "b", "tier": 9}))
    world.cool("a", error(429))
    world.answers = {"b": error(500)}
    assert await world.run(router.plan(call(), caller)) == ["b", "a"]


async def test_fallback_models_answer_in_order_each_by_its_own_strategy(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(
        model("m", "a", fallbacks=["n", "m2"]),
        model("n", "d", "c", strategy={"kind": "fallback"}, fallbacks=["m", "unasked"]),
        model("m2", "e"),
        model("unasked", "f"),
    )
    world.answers = {name: error(429, 60) for name in "acdef"}
    plan = router.plan(call(), caller)
    targets = []
    while (target := await plan.next()) is not None:
        targets.append((target.model.name, target.deployment.name))
        world.attempt(plan, target)
    assert targets == [("m", "a"), ("n", "d"), ("n", "c"), ("m2", "e")]


async def test_at_most_as_many_attempts_as_the_model_allows(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    names = ["a", "b", "c", "d", "e", "f"]
    world.answers = {name: error(500) for name in names}
    assert len(await world.run(world.router(model("m", *names)).plan(call(), caller))) == 5
    router = world.router(model("m", *names, max_attempts=2, fallbacks=["n"]), model("n", "g"))
    assert len(await world.run(router.plan(call(), caller))) == 2


async def test_a_single_deployment_is_tried_again_after_growing_pauses(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    world.answers = {"a": error(503)}
    assert await world.run(world.router(model("m", "a")).plan(call(), caller)) == ["a"] * 5
    assert len(world.pauses) == 4
    assert all(0 <= pause <= 0.2 * 2**n for n, pause in enumerate(world.pauses))
    # Full jitter: callers that failed together do not come back together.
    firsts, lasts = set(), []
    for seed in range(10):
        world.now += 1000
        world.pauses.clear()
        await world.run(world.router(model("m", "a"), seed=seed).plan(call(), caller))
        firsts.add(world.pauses[0])
        lasts.append(world.pauses[3])
    assert len(firsts) == 10
    assert max(lasts) > 0.8


async def test_those_that_failed_take_turns(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    world.answers = {name: error(503) for name in "ab"}
    router = world.router(model("m", "a", "b", strategy={"kind": "fallback"}))
    assert await world.run(router.plan(call(), caller)) == ["a", "b", "a", "b", "a"]
    assert len(world.pauses) == 3


async def test_no_deployment_is_called_again_before_its_retry_after(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    world.answers = {"a": error(429, 2)}
    plan = world.router(model("m", "a", max_attempts=3)).plan(call(), caller)
    assert await world.run(plan) == ["a"] * 3
    assert world.pauses == [2, 2]


async def test_a_caller_does_not_wait_long_for_a_deployment_that_says_when_it_is_back(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    world.answers = {"a": error(429, 30), "b": error(429, 12)}
    plan = world.router(model("m", "a", "b")).plan(call(), caller)
    assert sorted(await world.run(plan)) == ["a", "b"]
    assert world.pauses == []
    verdict = plan.verdict()
    assert (verdict.status, verdict.retry_after_seconds) == (429, 12)
    assert verdict.detail == "detail of 429"


async def test_one_that_has_become_free_during_a_pause_is_tried_before_those_that_failed(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(model("m", "a", "b", "c"))
    world.cool("b", error(503, 4))
    world.cool("c", error(503, 1))
    world.answers = {"a": error(429, 4), "c": error(503)}
    assert await world.run(router.plan(call(), caller)) == ["a", "c", "b"]
    assert world.pauses == [4]


async def test_attempts_and_pauses_end_with_the_deadline(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    world.answers = {"a": error(503), "n": error(504)}
    world.seconds = 4
    router = world.router(model("m", "a", deadline_seconds=10, fallbacks=["n"]), model("n", "n"))
    plan = router.plan(call(), caller)
    began = world.now
    seconds_left = []
    while (target := await plan.next()) is not None:
        seconds_left.append(target.seconds_left)
        world.attempt(plan, target)
    assert seconds_left[:2] == [10, 6]
    assert len(seconds_left) == 3
    assert world.now - began <= 10 + 1e-6
    # Rather than a pause beyond the deadline: none.
    world.answers = {"b": error(429, 5)}
    plan = world.router(model("m", "b", deadline_seconds=8)).plan(call(), caller)
    world.pauses.clear()
    assert await world.run(plan) == ["b"]
    assert world.pauses == []


async def test_what_the_deadline_cut_short_is_not_held_against_a_deployment(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(model("m", "a", "b", deadline_seconds=10, strategy={"kind": "fallback"}))
    world.answers, world.seconds = {"a": error(504), "b": error(504)}, 8
    plan = router.plan(call(), caller)
    assert await world.run(plan) == ["a", "b"]
    assert (world.state("a").failures, world.state("b").failures) == (1, 0)
    assert plan.verdict().status == 504
