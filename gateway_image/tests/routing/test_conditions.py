"""Conditional routing: which requests meet which conditions."""

import json
from typing import Any

import pytest

from gateway.call import Call
from gateway.callers import Caller
from gateway.catalog.strategies import Condition
from gateway.routing.conditions import all_hold

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
CHAT = {
    "messages": [{"role": "user", "content": [{"type": "text", "text": "look"}, IMAGE]}],
    "tools": [{"type": "function", "function": {"name": "now"}}],
    "metadata": {"tier": "gold", "score": 7, "beta": True, "nested": {"a": 1}},
}
MESSAGES = {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}], "tools": []}
RESPONSES = {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}
QUOTED = {"messages": [{"role": "user", "content": 'What is {"type": "image_url"}, and "type":"image"?'}]}
EMPTY: dict[str, Any] = {}
BROKEN = {"tools": "none", "metadata": ["gold"], "messages": None}


def holds(body: dict[str, Any], condition: dict[str, Any], **fields: Any) -> bool:
    operation = fields.pop("operation", "chat_completions")
    call = Call(operation, "m", json.dumps(body).encode(), **fields)
    return all_hold([Condition.model_validate(condition)])(call, Caller("bootstrap:ann", "ann", "bootstrap"))


@pytest.mark.parametrize(
    ("body", "condition"),
    [
        (CHAT, {"field": "metadata.tier", "is_in": ["silver", "gold"]}),
        (CHAT, {"field": "metadata.score", "at_least": 7}),
        (CHAT, {"field": "metadata.score", "at_most": 7}),
        (CHAT, {"field": "metadata.beta", "is_in": [True]}),
        (CHAT, {"field": "metadata.absent", "not_in": ["gold"]}),
        (CHAT, {"field": "tools", "is_in": [True]}),
        (CHAT, {"field": "images", "is_in": [True]}),
        (MESSAGES, {"field": "images", "is_in": [True]}),
        (RESPONSES, {"field": "images", "is_in": [True]}),
        (QUOTED, {"field": "images", "is_in": [False]}),
        (MESSAGES, {"field": "tools", "is_in": [False]}),
        (EMPTY, {"field": "tools", "is_in": [False]}),
        (EMPTY, {"field": "images", "is_in": [False]}),
        (BROKEN, {"field": "tools", "is_in": [False]}),
        (BROKEN, {"field": "images", "is_in": [False]}),
        (EMPTY, {"field": "caller", "is_in": ["ann"]}),
        (EMPTY, {"field": "operation", "not_in": ["embeddings"]}),
        (EMPTY, {"field": "stream", "is_in": [False]}),
        (EMPTY, {"field": "input_tokens", "at_most": 10}),
    ],
)
def test_a_condition_that_holds(body: dict[str, Any], condition: dict[str, Any]) -> None:
    assert holds(body, condition)


@pytest.mark.parametrize(
    ("body", "condition"),
    [
        (CHAT, {"field": "metadata.tier", "is_in": ["silver"]}),
        (CHAT, {"field": "metadata.tier", "not_in": ["gold"]}),
        (CHAT, {"field": "metadata.tier", "at_least": 0}),
        (CHAT, {"field": "metadata.score", "at_least": 7.5}),
        (CHAT, {"field": "metadata.nested", "is_in": ["a"]}),
        (CHAT, {"field": "metadata.absent", "at_most": 1e9}),
        (EMPTY, {"field": "metadata.tier", "is_in": ["gold"]}),
        (BROKEN, {"field": "metadata.tier", "is_in": ["gold"]}),
        (EMPTY, {"field": "max_output_tokens", "at_least": 0}),
        (EMPTY, {"field": "header.x-team", "is_in": ["a"]}),
        (EMPTY, {"field": "caller", "is_in": ["bob"]}),
    ],
)
def test_a_condition_that_does_not_hold(body: dict[str, Any], condition: dict[str, Any]) -> None:
    assert not holds(body, condition)


def test_what_is_not_in_the_body() -> None:
    assert holds(EMPTY, {"field": "header.x-level", "at_least": 3}, headers={"x-level": "3"})
    assert not holds(EMPTY, {"field": "header.x-level", "at_least": 3}, headers={"x-level": "three"})
    assert holds(EMPTY, {"field": "header.x-team", "not_in": ["b"]}, headers={"x-team": "a"})
    assert holds(EMPTY, {"field": "max_output_tokens", "at_most": 100}, max_output_tokens=100)
    assert holds(EMPTY, {"field": "stream", "is_in": [True]}, stream=True)
    assert holds({"input": "x" * 3000}, {"field": "input_tokens", "at_least": 1000})


def test_all_conditions_must_hold() -> None:
    conditions = [
        Condition(field="caller", is_in=("ann",)),
        Condition(field="metadata.tier", is_in=("gold",)),
    ]
    test = all_hold(conditions)
    gold = Call("chat_completions", "m", b'{"metadata": {"tier": "gold"}}')
    assert test(gold, Caller("bootstrap:ann", "ann", "bootstrap"))
    assert not test(gold, Caller("bootstrap:bob", "bob", "bootstrap"))
    assert not test(Call("chat_completions", "m", b"{}"), Caller("bootstrap:ann", "ann", "bootstrap"))


@pytest.mark.anyio
async def test_only_the_deployments_of_the_first_route_that_holds_serve_a_call(
    world: Any, model: Any, call: Any, caller: Any, error: Any
) -> None:
    routes = [
        {"when": [{"field": "metadata.place", "is_in": ["eu"]}], "deployments": ["eu-1", "eu-2"]},
        {"when": [{"field": "stream", "is_in": [True]}], "deployments": ["us-1"]},
        {"deployments": ["us-1", "us-2"]},
    ]
    strategy = {"kind": "conditional", "routes": routes}
    router = world.router(model("m", "us-1", "us-2", "eu-1", {"name": "eu-2", "tier": 1}, strategy=strategy))
    world.answers = {name: error(400) for name in ("us-1", "us-2")}
    eu = call(body=b'{"metadata": {"place": "eu"}}')
    assert await world.run(router.plan(eu, caller)) == ["eu-1"]
    world.answers |= {"eu-1": error(503, 600), "eu-2": error(503, 600)}
    plan = router.plan(eu, caller)
    assert await world.run(plan) == ["eu-1", "eu-2"]
    assert plan.verdict().status == 502
    assert await world.run(router.plan(call(stream=True), caller)) == ["us-1"]
    seen = {name for _ in range(40) for name in await world.run(router.plan(call(), caller))}
    assert seen == {"us-1", "us-2"}
