"""What the plan's steps do to the two regions on this machine."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping

import asyncpg

from gatehouse.recovery import steps
from local.drill.relay import Relay
from local.drill.replica import follow, is_replica, lag_bytes, promote
from local.drill.world import STANDBY_SIZE, World, answers
from local.region_switch.blocks import Block, BlockError, Executor, region_of
from local.throwaway_servers import ServerError, free_port

_AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ServerError)
_Work = Callable[[Block], Awaitable[None]]


class Blocks:
    """Executes blocks: functions by the names of their steps, everything else by its type."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._functions: Mapping[str, _Work] = {
            steps.FENCE.name: self._fence,
            steps.OPEN.name: self._open,
            steps.AWAIT_REPLICA.name: self._await_replica,
            steps.ROUTE_OBJECTS.name: self._route_objects,
            steps.VERIFY.name: self._verify,
            steps.SETTLE.name: self._settle,
            steps.STAND_BY.name: self._stand_by,
        }

    def executors(self) -> Mapping[str, Executor]:
        """What each type of block does."""
        works: Mapping[str, _Work] = {
            "CustomActionLambda": self._run_function,
            "ECSServiceScaling": self._scale,
            "EKSResourceScaling": self._scale,
            "RdsCreateCrossRegionReplica": self._replicate,
            "RdsPromoteReadReplica": self._promote,
            "Route53HealthCheck": self._move_name,
        }
        return {kind: self._executor(work) for kind, work in works.items()}

    def _executor(self, work: _Work) -> Executor:
        async def execute(block: Block) -> None:
            if surprises := self._world.surprises.get(block.step):
                await surprises.pop(0)()
            try:
                await work(block)
            except _AWAY as error:
                raise BlockError(str(error) or type(error).__name__) from error

        return execute

    async def _run_function(self, block: Block) -> None:
        where = self._world.region(region_of(block.function or ""))
        if not where.is_reachable:
            raise BlockError(f"{where.name} does not answer")
        await self._functions[block.step](block)

    async def _move_name(self, block: Block) -> None:
        self._world.name.hold(self._world.region(block.activating).front_door.url)

    async def _fence(self, block: Block) -> None:
        old = self._world.region(block.deactivating)
        old.is_open = False
        if not await old.end_gateways():
            raise BlockError(f"gateways of {old.name} still run")

    async def _open(self, block: Block) -> None:
        self._world.region(block.activating).is_open = True

    async def _scale(self, block: Block) -> None:
        await self._run(block.activating, self._world.scenario.gateways)

    async def _stand_by(self, block: Block) -> None:
        self._world.region(block.deactivating).is_open = True
        await self._run(block.deactivating, STANDBY_SIZE)

    async def _settle(self, _block: Block) -> None:
        """Nothing: the replica has its settings from the start."""

    async def _run(self, name: str, gateways: int) -> None:
        region = self._world.region(name)
        if not region.is_open:
            raise BlockError(f"{name} may run no gateways: it is fenced")
        await region.scale(gateways)

    async def _await_replica(self, block: Block) -> None:
        old, new = (self._world.region(name) for name in (block.deactivating, block.activating))
        if not old.is_reachable:
            raise BlockError(f"{old.name} does not say what it has written")
        if behind := await lag_bytes(old.postgres, new.postgres):
            raise BlockError(f"the replica is {behind} bytes behind")

    async def _promote(self, block: Block) -> None:
        database = self._world.region(block.activating).postgres
        if await promote(database):
            # As RDS does: connections end.
            await asyncio.to_thread(database.stop, signal.SIGINT)
            await asyncio.to_thread(database.start)

    async def _route_objects(self, _block: Block) -> None:
        """Nothing: no request needs an object store, and so there is none here."""

    async def _verify(self, block: Block) -> None:
        region = self._world.region(block.activating)
        wanted = self._world.scenario.gateways
        ready = await answers(region, "/health/ready")
        if region.size < wanted or ready is None:
            raise BlockError(f"gateways that answer: {region.size} of {wanted}")
        if await is_replica(region.postgres):
            raise BlockError(f"the database of {region.name} takes no writes")
        if ready["database"] != "reachable":
            raise BlockError(f"a gateway finds the database {ready['database']}")

    async def _replicate(self, block: Block) -> None:
        """Let a replica take the old database's place, which runs on beside it, as in RDS."""
        world = self._world
        old, new = (world.region(name) for name in (block.deactivating, block.activating))
        await world.line.cut()
        world.line = Relay(free_port(), [new.postgres.port])
        await world.line.start()
        replica = await asyncio.to_thread(follow, world.line.port, world.folder / "replica-again")
        world.old_database, old.postgres = old.postgres, replica
