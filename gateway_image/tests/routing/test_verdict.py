"""What ends a plan, and what its caller is told when no deployment has answered."""

from typing import Any

import pytest

from gateway.errors import GatewayError

pytestmark = pytest.mark.anyio


async def test_a_caller_s_mistake_ends_the_plan_and_cools_nothing(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(model("m", "a", "b", fallbacks=["n"]), model("n", "c"))
    world.answers = {name: error(400) for name in "ab"}
    plan = router.plan(call(), caller)
    assert len(await world.run(plan)) == 1
    assert plan.verdict() is world.answers["a"] or plan.verdict() is world.answers["b"]
    assert world.states.cooling() == []
    assert world.told == []


async def test_a_stand_in_that_refuses_the_request_does_not_speak_for_the_model_asked_for(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(
        model("m", "a", fallbacks=["n", "o"]), model("n", "b1", "b2"), model("o", "c"), seed=3
    )
    world.answers = {"a": error(503, 60), "b1": error(400), "b2": error(400), "c": error(503, 60)}
    plan = router.plan(call(), caller)
    called = await world.run(plan)
    assert called in (["a", "b1", "c"], ["a", "b2", "c"])
    assert plan.verdict().status == 502


async def test_an_unsuitable_deployment_is_no_attempt(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(model("m", "a", "b", "c", strategy={"kind": "fallback"}))
    world.cool("c", error(429))
    plan = router.plan(call(), caller)
    plan.unsuitable(await plan.next(), error(400))
    target = await plan.next()
    assert target.deployment.name == "b"
    assert plan.attempts == 1
    plan.failed(target, error(500))
    # Tried although it is cooling; that it cannot serve the call is not its one chance.
    target = await plan.next()
    assert target.deployment.name == "c"
    assert [state.name for state in world.states.cooling()] == ["b", "c"]


async def test_a_call_that_no_deployment_can_serve_gets_the_reason_and_no_stand_in(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(model("m", "a", "b", fallbacks=["n"]), model("n", "c"))
    plan = router.plan(call(), caller)
    reasons = [error(400, message="one"), error(400, message="two")]
    for reason in reasons:
        plan.unsuitable(await plan.next(), reason)
    assert await plan.next() is None
    assert plan.verdict() in reasons
    assert plan.attempts == 0


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ([429, 429], 429),
        ([503, 503], 502),
        ([529, 429], 502),
        ([504, 504], 504),
        ([408, 408], 504),
        ([429, 504], 504),
        ([504, 500], 502),
        ([500, 504], 502),
    ],
)
async def test_the_verdict_on_several_failures(
    world: Any, model: Any, call: Any, caller: Any, error: Any, statuses: list[int], verdict: int
) -> None:
    router = world.router(model("m", "a", "b", strategy={"kind": "fallback"}, max_attempts=2))
    world.answers = dict(zip("ab", map(error, statuses), strict=True))
    plan = router.plan(call(), caller)
    assert await world.run(plan) == ["a", "b"]
    assert plan.verdict().status == verdict
    assert (plan.verdict().retry_after_seconds == 30) == (verdict == 429)


async def test_a_model_at_capacity(world: Any, model: Any, call: Any, caller: Any, error: Any) -> None:
    limited = {"name": "a", "capacity": {"requests_per_minute": 1}}
    router = world.router(model("m", limited, "b"))
    world.full = {"a", "b"}
    plan = router.plan(call(), caller)
    assert await world.run(plan) == []
    verdict = plan.verdict()
    assert (verdict.status, verdict.code) == (429, "rate_limit_exceeded")
    assert verdict.retry_after_seconds == 20
    assert "'m'" in verdict.message
    # One that is cooling is better than none; and sooner back than the capacity of the other.
    world.cool("b", error(429, 5))
    world.full, world.answers = {"a"}, {"b": error(429, 5)}
    plan = router.plan(call(), caller)
    assert await world.run(plan) == ["b"]
    assert plan.verdict().retry_after_seconds == 5


async def test_the_caller_may_come_back_when_the_first_deployment_is_free_again(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(model("m", "a", "b", "c", max_attempts=1))
    world.cool("b", error(429, 12))
    world.cool("c", error(503, 9))
    world.answers = {"a": error(429)}
    plan = router.plan(call(), caller)
    assert await world.run(plan) == ["a"]
    assert plan.verdict().retry_after_seconds == 9


async def test_a_deployment_without_capacity_left_gets_no_second_try(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    router = world.router(model("m", {"name": "a", "capacity": {"requests_per_minute": 1}}))
    plan = router.plan(call(), caller)
    plan.failed(await plan.next(), error(503))
    world.full = {"a"}
    assert await plan.next() is None
    assert plan.verdict().status == 502


async def test_an_unknown_model(world: Any, model: Any, call: Any, caller: Any) -> None:
    with pytest.raises(GatewayError, match="'nothing' does not exist") as caught:
        world.router(model("m", "a")).plan(call("nothing"), caller)
    assert (caught.value.status, caught.value.code, caught.value.param) == (404, "model_not_found", "model")
