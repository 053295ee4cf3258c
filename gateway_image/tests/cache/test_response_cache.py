"""Answers given again: to whom, for what, and when not."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.cache.connection import Cache
from gateway.cache.response_cache import ResponseCache
from gateway.call import Call
from gateway.callers import Caller
from gateway.catalog import BedrockDeployment, Model

pytestmark = pytest.mark.anyio

ANN, BOB = Caller("bootstrap:ann", "ann", "bootstrap"), Caller("bootstrap:bob", "bob", "bootstrap")
ANSWER = b'{"choices":[]}'


def model(name: str = "claude", **options: Any) -> Model:
    deployment = BedrockDeployment(
        name=f"{name}-us", provider="bedrock", region="us-east-1", model_id="amazon.nova-lite-v1:0"
    )
    return Model(
        **{"name": name, "deployments": [deployment], "response_cache": {"ttl_seconds": 60}, **options}
    )


def call(body: bytes = b'{"model":"claude"}', **options: Any) -> Call:
    return Call(**{"operation": "chat_completions", "model": "claude", "body": body, **options})


@pytest.fixture
async def responses(valkey: Any, connect: Any) -> ResponseCache:
    return ResponseCache(await connect())


async def read(
    responses: ResponseCache, served: Model, caller: Caller, asked: Call, cache_control: str = ""
) -> bytes | None:
    place = responses.place(served, caller, asked, cache_control)
    return None if place is None else await place.read()


def keep(
    responses: ResponseCache,
    served: Model,
    caller: Caller,
    asked: Call,
    cache_control: str = "",
    pieces: Sequence[bytes] = (ANSWER,),
) -> None:
    if (place := responses.place(served, caller, asked, cache_control)) is not None:
        for piece in pieces:
            place.add(piece)
        place.keep()


async def test_the_same_again_gets_the_same_answer(responses: ResponseCache) -> None:
    assert await read(responses, model(), ANN, call()) is None
    keep(responses, model(), ANN, call())
    assert await read(responses, model(), ANN, call()) == ANSWER


async def test_a_stream_is_kept_as_its_events(responses: ResponseCache) -> None:
    streamed = call(b'{"model":"claude","stream":true}', stream=True)
    keep(responses, model(), ANN, streamed, pieces=[b"data: 1\n\n", b"", b"data: [DONE]\n\n"])
    assert await read(responses, model(), ANN, streamed) == b"data: 1\n\ndata: [DONE]\n\n"
    assert await read(responses, model(), ANN, call()) is None


async def test_whatever_else_is_asked_is_something_else(responses: ResponseCache) -> None:
    keep(responses, model(), ANN, call())
    for other in (
        (model(), BOB, call()),
        (model(max_output_tokens=7), ANN, call()),
        (model(name="other"), ANN, call()),
        (model(), ANN, call(operation="messages")),
        (model(), ANN, call(b'{"model": "claude"}')),
        (model(), ANN, call(headers={"anthropic-beta": "context-1m"})),
    ):
        assert await read(responses, *other) is None


async def test_headers_count_if_the_answer_depends_on_them(responses: ResponseCache) -> None:
    keep(responses, model(), ANN, call(headers={"x-request-id": "1"}))
    assert await read(responses, model(), ANN, call(headers={"x-request-id": "2", "x-team": "red"})) == ANSWER
    by_team = {
        "kind": "conditional",
        "routes": [
            {"when": [{"field": "header.x-team", "is_in": ["red"]}], "deployments": ["claude-us"]},
            {"deployments": ["claude-us"]},
        ],
    }
    routed = model(strategy=by_team)
    keep(responses, routed, ANN, call(headers={"x-team": "red"}))
    assert await read(responses, routed, ANN, call(headers={"x-team": "red", "x-request-id": "2"})) == ANSWER
    assert await read(responses, routed, ANN, call(headers={"x-team": "blue"})) is None


async def test_a_model_without_a_cache_keeps_nothing(responses: ResponseCache) -> None:
    assert responses.place(model(response_cache=None), ANN, call(), cache_control="") is None


async def test_callers_may_ask_for_a_new_answer(responses: ResponseCache) -> None:
    keep(responses, model(), ANN, call(), cache_control="No-Store")
    assert await read(responses, model(), ANN, call()) is None
    keep(responses, model(), ANN, call(), cache_control="max-age=0, no-cache")
    assert await read(responses, model(), ANN, call(), cache_control="no-cache") is None
    assert await read(responses, model(), ANN, call(), cache_control="no-store") is None
    assert await read(responses, model(), ANN, call()) == ANSWER


async def test_what_is_too_large_or_empty_is_not_kept(responses: ResponseCache) -> None:
    megabyte = bytes(2**20)
    keep(responses, model(), ANN, call(b"fits"), pieces=[megabyte])
    assert await read(responses, model(), ANN, call(b"fits")) == megabyte
    for pieces in ([megabyte, b"1"], [b"1", megabyte], [megabyte, megabyte, b"1"], [], [b""]):
        keep(responses, model(), ANN, call(), pieces=pieces)
        assert await read(responses, model(), ANN, call()) is None
    assert responses.place(model(), ANN, call(megabyte + b"1"), cache_control="") is None


async def test_an_answer_lives_as_long_as_configured(responses: ResponseCache, connect: Any) -> None:
    keep(responses, model(response_cache={"ttl_seconds": 7}), ANN, call())
    cache = await connect()
    (key,) = await cache.send("KEYS", "gatehouse:response:*")
    assert 6 <= await cache.send("TTL", key) <= 7


async def test_a_cache_that_is_away_or_hangs_is_a_miss(
    valkey: Any, responses: ResponseCache, cache_settings: Any
) -> None:
    nowhere = ResponseCache(Cache(cache_settings))
    keep(nowhere, model(), ANN, call())
    assert await read(nowhere, model(), ANN, call()) is None
    keep(responses, model(), ANN, call())
    assert await read(responses, model(), ANN, call()) == ANSWER
    valkey.freeze()
    began = time.monotonic()
    reads = [read(responses, model(), ANN, call()) for _ in range(20)]
    assert await asyncio.gather(*reads) == [None] * 20
    assert time.monotonic() - began < 1.5
