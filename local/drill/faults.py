"""What happens to the primary region, how it is noticed, and how the region comes back."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from gatehouse.recovery import steps
from local.drill.region import Region
from local.drill.scenario import Fault
from local.drill.world import World, answers
from local.region_switch.blocks import BlockError

# As Route 53 checks, ten times as often.
_CHECK_SECONDS = 1.0
_FAILURES = 3
_SLOW_SECONDS = 2.0
_STANDS_STILL = 0.9
_CACHE_ALONE_SECONDS = 1.5
_MOST_SECONDS = 60.0


async def break_primary(world: World) -> float:
    """Let happen what the scenario says; returns when it had, by `time.time`."""
    _prepare(world)
    if world.scenario.fault == "cache dies first":
        await asyncio.to_thread(world.primary.valkey.kill)
        await asyncio.sleep(_CACHE_ALONE_SECONDS)
    await _FAULTS[world.scenario.fault](world)
    return time.time()


async def notice(world: World) -> None:
    """Return once somebody knows that the region has to be left, and has decided to. Raises TimeoutError."""
    async with asyncio.timeout(_MOST_SECONDS):
        if world.scenario.is_noticed_by_people:
            await _until_people_decide(world)
        else:
            await _until_unhealthy(world)


async def come_back(world: World) -> None:
    """Let the primary region be there again."""
    await world.calm()
    world.line.flow()
    if not world.line.listens:
        await world.line.start()
    await world.primary.come_back()


def _prepare(world: World) -> None:
    """Arrange what happens during the failover."""

    async def fail() -> None:
        raise BlockError("the database's state does not allow it now")

    async def return_early() -> None:
        await come_back(world)

    surprises = {"step fails": [fail, fail], "primary returns": [return_early]}.get(world.scenario.fault)
    if surprises:
        world.surprises[steps.PROMOTE.name] = [*surprises]


async def _until_unhealthy(world: World) -> None:
    """Health checks of the name do what Route 53's would: callers are sent to the other region at once."""
    failures = 0
    while failures < _FAILURES:
        failures = failures + 1 if await answers(world.primary, "/health/live") is None else 0
        await asyncio.sleep(_CHECK_SECONDS)
    world.name.fail_over(world.standby.front_door.url)


async def _until_people_decide(world: World) -> None:
    if world.scenario.fault == "database hangs":
        while await _reaches_database(world.primary):  # noqa: ASYNC110 (nobody tells: it is looked for)
            await asyncio.sleep(_CHECK_SECONDS)
    await asyncio.sleep(world.scenario.decision_seconds)


async def _reaches_database(region: Region) -> bool:
    found = await answers(region, "/health/ready")
    return found is None or found["database"] == "reachable"


async def _kill(world: World) -> None:
    await world.primary.lose()
    # What was under way to the replica is lost, too.
    await world.line.cut()


async def _cut_off(world: World) -> None:
    world.primary.is_reachable = False
    world.primary.front_door.fall_silent()
    world.line.fall_silent()


async def _hold_database(world: World) -> None:
    world.primary.hold(world.primary.postgres.process)


async def _hold_gateways(world: World) -> None:
    world.primary.hold(*(gateway.process for gateway in world.primary.gateways))


async def _slow_database(world: World) -> None:
    async def stand_still() -> None:
        while True:
            await _hold_database(world)
            await asyncio.sleep(_SLOW_SECONDS * _STANDS_STILL)
            world.primary.release()
            await asyncio.sleep(_SLOW_SECONDS * (1 - _STANDS_STILL))

    world.trouble(stand_still())


_FAULTS: Mapping[Fault, Callable[[World], Awaitable[None]]] = {
    "killed": _kill,
    "cut off": _cut_off,
    "database hangs": _hold_database,
    "gateways hang": _hold_gateways,
    "replica lags": _kill,
    "primary returns": _cut_off,
    "cache dies first": _kill,
    "step fails": _kill,
    "operator dies": _cut_off,
    "database slows": _slow_database,
}
