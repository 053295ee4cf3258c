"""The capacity of deployments: the first of the candidates that has some left takes the request."""

from typing import Any

import pytest

from gateway.admission import Admission, Needs

pytestmark = pytest.mark.anyio

MODEL = "chat"


async def test_the_first_deployment_with_capacity_takes_the_request(
    admission: Admission, deployment: Any
) -> None:
    small, large, unlimited = deployment("small", 1), deployment("large", 2), deployment("rest")
    every = [small, large, unlimited]
    taken = [(await admission.admit(None, every, model=MODEL, needs=Needs(1))).index for _ in range(5)]
    assert taken == [0, 1, 1, 2, 2]
    refused = await admission.admit(None, [large, small], model=MODEL, needs=Needs(1))
    assert (refused.index, refused.retry_after_seconds) == (None, 61)


async def test_tokens_that_were_not_used_are_given_back(admission: Admission, deployment: Any) -> None:
    only = [deployment("metered", tokens=1000)]
    first = await admission.admit(None, only, model=MODEL, needs=Needs(900))
    assert first.reservation is not None
    assert (await admission.admit(None, only, model=MODEL, needs=Needs(200))).index is None
    admission.settle(first.reservation, used_tokens=750)
    assert (await admission.admit(None, only, model=MODEL, needs=Needs(200))).index == 0
    assert (await admission.admit(None, only, model=MODEL, needs=Needs(100))).index is None


@pytest.mark.parametrize("cache_is_away", [False, True])
async def test_a_request_that_was_not_sent_takes_no_capacity(
    admission: Admission, valkey: Any, deployment: Any, cache_is_away: bool
) -> None:
    only = [deployment("spared", requests=1, tokens=1000)]
    if cache_is_away:
        valkey.kill()
    for _ in range(3):
        admitted = await admission.admit(None, only, model=MODEL, needs=Needs(1000))
        assert admitted.reservation is not None
        admission.cancel(admitted.reservation)
    assert (await admission.admit(None, only, model=MODEL, needs=Needs(1000))).index == 0
    assert (await admission.admit(None, only, model=MODEL, needs=Needs(1))).index is None


async def test_a_request_larger_than_the_capacity_waits_for_all_of_it(
    admission: Admission, clock: Any, deployment: Any
) -> None:
    only = [deployment("narrow", tokens=1000)]
    first = await admission.admit(None, only, model=MODEL, needs=Needs(50_000))
    assert first.reservation is not None
    assert first.reservation.tokens == 1000
    assert (await admission.admit(None, only, model=MODEL, needs=Needs(1))).index is None
    # What was used of it counts: more than the capacity, if it was more.
    admission.settle(first.reservation, used_tokens=4000)
    clock.now += 60
    assert (await admission.admit(None, only, model=MODEL, needs=Needs(1))).index is None
    clock.now += 1
    assert (await admission.admit(None, only, model=MODEL, needs=Needs(50_000))).index == 0


@pytest.mark.parametrize("cache_is_away", [False, True])
async def test_a_clock_that_is_set_back_leaves_nothing_counted_for_good(
    admission: Admission, clock: Any, valkey: Any, deployment: Any, cache_is_away: bool
) -> None:
    """The cache's clock may be set, and that of the replica that takes over may be behind."""
    if cache_is_away:
        valkey.kill()
    only = [deployment("set-back", 5)]
    for step in (0, -5, 1, 1):
        clock.now += step
        assert (await admission.admit(None, only, model=MODEL, needs=Needs(1))).index == 0
    for _ in range(8):
        clock.now += 30
        assert (await admission.admit(None, only, model=MODEL, needs=Needs(1))).index == 0
    # By more than the window: what is counted in the far future says nothing.
    clock.now -= 90_000
    for _ in range(5):
        assert (await admission.admit(None, only, model=MODEL, needs=Needs(1))).index == 0
    assert (await admission.admit(None, only, model=MODEL, needs=Needs(1))).index is None
    clock.now += 90_000
    assert (await admission.admit(None, only, model=MODEL, needs=Needs(1))).index == 0
