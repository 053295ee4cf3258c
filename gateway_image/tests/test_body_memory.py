import asyncio

import pytest

from gateway.body_memory import BodyMemory
from gateway.errors import GatewayError

pytestmark = pytest.mark.anyio

LIMIT = 1_000_000


async def test_a_body_counts_until_its_request_has_ended() -> None:
    memory, end = BodyMemory(LIMIT), asyncio.Event()

    async def request(size: int) -> None:
        memory.hold(size)
        await end.wait()

    running = asyncio.create_task(request(900_000))
    await asyncio.sleep(0)
    with pytest.raises(GatewayError) as caught:
        memory.hold(200_000)
    assert (caught.value.status, caught.value.code) == (503, "overloaded")
    assert caught.value.retry_after_seconds is not None
    assert memory.held_bytes == 900_000

    end.set()
    await running
    await asyncio.sleep(0)
    assert memory.held_bytes == 0
    await request(200_000)


async def test_a_request_that_fails_lets_go_too() -> None:
    memory = BodyMemory(LIMIT)

    async def request() -> None:
        memory.hold(LIMIT)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 (the one above)
        await asyncio.create_task(request())
    await asyncio.sleep(0)
    assert memory.held_bytes == 0


async def test_small_bodies_are_let_in_without_being_counted() -> None:
    memory = BodyMemory(LIMIT)
    for _ in range(1000):
        memory.hold(10_000)
    assert memory.held_bytes == 0
