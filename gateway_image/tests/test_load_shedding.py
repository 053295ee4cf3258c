import asyncio
import time

import pytest

from gateway.callers import Priority
from gateway.errors import GatewayError
from gateway.load_shedding import LoadShedding

PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high")


class World:
    """A process with as many requests and as much delay as a test wants."""

    def __init__(self, limit: int = 100) -> None:
        self.running: set[int] = set()
        self.refusals: list[Priority] = []
        self.shedding = LoadShedding(self.running, self.refusals.append, max_concurrent_requests=limit)

    def run(self, count: int) -> None:
        self.running.update(range(count))

    def be_late(self, seconds: float, *, times: int = 100) -> None:
        for _ in range(times):
            self.shedding.learn(seconds)

    def share_refused(self, priority: Priority, of: int = 500) -> float:
        refused = 0
        for _ in range(of):
            try:
                self.shedding.admit(priority)
            except GatewayError as error:
                refused += (error.status, error.code) == (503, "overloaded")
        return refused / of


@pytest.fixture
def world() -> World:
    return World()


def test_a_calm_process_refuses_nothing(world: World) -> None:
    world.run(80)
    world.be_late(0.002)
    assert [world.share_refused(priority) for priority in PRIORITIES] == [0, 0, 0]
    assert world.refusals == []


def test_few_requests_are_not_what_makes_a_process_late(world: World) -> None:
    world.run(10)
    world.be_late(5)
    assert world.share_refused("low", of=10) == 0


def test_a_single_long_step_refuses_nothing(world: World) -> None:
    world.run(50)
    world.be_late(0.001)
    world.be_late(0.05, times=1)
    assert world.share_refused("low") == 0


def test_the_least_important_are_refused_first(world: World) -> None:
    world.run(50)
    seen = []
    for milliseconds in (0, 75, 175, 300, 600, 1000):
        world.be_late(milliseconds / 1000)
        seen.append([world.share_refused(priority) for priority in PRIORITIES])
    calm, low, normal, only_high, some_high, none = seen
    assert calm == [0, 0, 0]
    assert 0.3 < low[0] < 0.7
    assert low[1:] == [0, 0]
    assert normal[0] == 1
    assert 0.3 < normal[1] < 0.7
    assert normal[2] == 0
    assert only_high == [1, 1, 0]
    assert 0.3 < some_high[2] < 0.7
    assert none == [1, 1, 1]
    world.be_late(0.0, times=500)
    assert [world.share_refused(priority) for priority in PRIORITIES] == [0, 0, 0]


def test_those_refused_are_not_told_to_come_back_together(world: World) -> None:
    world.run(50)
    world.be_late(10)
    waits = set()
    for _ in range(100):
        with pytest.raises(GatewayError) as caught:
            world.shedding.admit("normal")
        waits.add(caught.value.retry_after_seconds)
    assert waits == {1, 2, 3, 4, 5}


@pytest.mark.anyio
async def test_many_that_arrive_at_once_do_not_wait_for_the_next_measurement(world: World) -> None:
    world.run(50)
    watching = asyncio.create_task(world.shedding.watch())
    await asyncio.sleep(0.06)
    assert world.share_refused("normal") == 0
    time.sleep(1.1)  # noqa: ASYNC251 (a turn of the loop that takes long)
    assert world.share_refused("normal") == 1
    watching.cancel()


@pytest.mark.parametrize(
    ("running", "refused"), [(80, []), (81, ["low"]), (91, ["low", "normal"]), (101, list(PRIORITIES))]
)
def test_the_last_places_are_for_the_important(world: World, running: int, refused: list[Priority]) -> None:
    world.run(running)
    assert [priority for priority in PRIORITIES if world.share_refused(priority) == 1] == refused
    assert set(world.refusals) == set(refused)
