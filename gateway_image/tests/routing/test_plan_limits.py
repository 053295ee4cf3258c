"""What a request reserves of its caller's limits, and which models a caller's rights leave it."""

from typing import Any

import pytest

from gateway.admission.outcome import CallerReservation, Needs
from gateway.callers import Caller, Project
from gateway.errors import GatewayError
from gateway.limits import Limits

pytestmark = pytest.mark.anyio

CHEAP = {"price": {"input_usd": 1, "output_usd": 2}}
DEAR = {"price": {"input_usd": 3, "output_usd": 15}}
# Its price is in no table.
UNKNOWN = {"model_id": "acme.unheard-of-v1:0"}


def caller_with(**fields: Any) -> Caller:
    return Caller("key_1", "ci", "key", **fields)


BUDGET = Limits(usd_per_day=1)


async def test_a_request_reserves_what_the_dearest_way_to_answer_it_may_use(
    world: Any, model: Any, call: Any
) -> None:
    first = model("m", {"name": "a"} | CHEAP, {"name": "b"} | DEAR) | {
        "max_output_tokens": 100,
        "fallbacks": ["n"],
    }
    router = world.router(first, model("n", {"name": "c"} | CHEAP) | {"max_output_tokens": 1000})
    request = call(body=b" " * 300)
    plan = router.plan(request, caller_with(limits=BUDGET))
    await plan.next()
    (needs,) = world.needs
    # Without a limit of its own, an answer may be as long as the most talkative stand-in's.
    assert needs.tokens == request.estimated_input_tokens + 1000
    dearest = 3_000 * request.estimated_input_tokens + 15_000 * 100
    assert needs.nano_usd >= max(dearest, 1_000 * request.estimated_input_tokens + 2_000 * 1000)


async def test_money_is_reckoned_for_those_only_who_have_a_budget(world: Any, model: Any, call: Any) -> None:
    router = world.router(model("m", {"name": "a"} | DEAR))
    await router.plan(call(), caller_with(limits=Limits(tokens_per_day=9))).next()
    await router.plan(call(), caller_with(project=Project("p", "p", limits=BUDGET))).next()
    assert [needs.nano_usd > 0 for needs in world.needs] == [False, True]


async def test_counting_tokens_costs_nothing(world: Any, model: Any, call: Any) -> None:
    router = world.router(model("m", {"name": "a"} | DEAR))
    await router.plan(call(operation="count_tokens"), caller_with(limits=BUDGET)).next()
    assert world.needs == [Needs()]


async def test_what_was_reserved_is_settled_once_with_all_that_was_used(
    world: Any, model: Any, call: Any, error: Any
) -> None:
    world.answers = {"a": error(500)}
    world.caller_reservation = CallerReservation((), Needs(500), 7, local=False)
    router = world.router(model("m", "a", "b", strategy={"kind": "fallback"}))
    plan = router.plan(call(), caller_with(limits=Limits(tokens_per_day=1000)))
    assert plan.admitted_at is None
    assert await world.run(plan) == ["a", "b"]
    assert plan.admitted_at == world.now
    plan.settle(Needs(30))
    plan.settle(Needs(99))
    assert world.settled_callers == [(Needs(500), Needs(30))]


async def test_an_answer_that_needs_no_deployment_is_counted_too(world: Any, model: Any, call: Any) -> None:
    world.caller_reservation = CallerReservation((), Needs(500), 7, local=False)
    plan = world.router(model("m", "a")).plan(call(), caller_with(limits=Limits(requests_per_day=1)))
    await plan.admit_caller()
    assert plan.admitted_at is not None
    await world.run(plan)
    # The caller is not counted a second time when a deployment is needed after all.
    assert [(name, deployments) for name, deployments, _ in world.questions] == [("ci", []), (None, ["a"])]
    plan.settle(Needs())
    assert world.settled_callers == [(Needs(500), Needs())]


def test_a_model_without_a_price_is_refused_where_money_is_limited(world: Any, model: Any, call: Any) -> None:
    router = world.router(model("m", {"name": "a"} | CHEAP, {"name": "b"} | UNKNOWN))
    with pytest.raises(GatewayError, match="has no price") as caught:
        router.plan(call(), caller_with(limits=BUDGET))
    assert (caught.value.status, caught.value.code) == (403, "model_not_priced")
    router.plan(call(), caller_with())


async def test_a_stand_in_without_a_price_is_left_out_where_money_is_limited(
    world: Any, model: Any, call: Any, error: Any
) -> None:
    world.answers = {"a": error(500)}
    router = world.router(
        model("m", {"name": "a"} | CHEAP) | {"fallbacks": ["n"], "max_attempts": 2},
        model("n", {"name": "b"} | UNKNOWN),
    )
    assert "b" not in await world.run(router.plan(call(), caller_with(limits=BUDGET)))
    assert "b" in await world.run(router.plan(call(), caller_with()))


async def test_what_a_caller_may_not_call_does_not_stand_in_either(
    world: Any, model: Any, call: Any, error: Any
) -> None:
    world.answers = {"a": error(500)}
    router = world.router(model("m", "a") | {"fallbacks": ["n"], "max_attempts": 2}, model("n", "b"))
    only_m = caller_with(models=frozenset({"m"}))
    assert "b" not in await world.run(router.plan(call(), only_m))
    with pytest.raises(GatewayError) as caught:
        router.plan(call("n"), only_m)
    assert (caught.value.status, caught.value.code, caught.value.param) == (403, "model_not_allowed", "model")


async def test_each_of_several_answers_is_reserved(world: Any, model: Any, call: Any) -> None:
    router = world.router(model("m", {"name": "a"} | CHEAP))
    for answers in (1, 3):
        request = call(max_output_tokens=100, answers=answers)
        await router.plan(request, caller_with(limits=Limits(tokens_per_day=9999))).next()
    one, three = (needs.tokens - request.estimated_input_tokens for needs in world.needs)
    assert (one, three) == (100, 300)


@pytest.mark.parametrize(
    ("tier", "refused"), [('"priority"', True), ('"flex"', False), ("null", False), ("1", True)]
)
@pytest.mark.parametrize("name", [b"service_tier", b"service\\u005ftier", b"\\u0073ervice_tier"])
def test_a_dearer_service_is_refused_where_money_is_limited(
    world: Any, model: Any, call: Any, name: bytes, tier: str, refused: bool
) -> None:
    router = world.router(model("m", {"name": "a"} | CHEAP))
    request = call(body=b'{"model":"m","%b":%b}' % (name, tier.encode()))
    router.plan(request, caller_with())
    if not refused:
        router.plan(request, caller_with(limits=BUDGET))
        return
    with pytest.raises(GatewayError) as caught:
        router.plan(request, caller_with(limits=BUDGET))
    assert (caught.value.status, caught.value.param) == (400, "service_tier")
