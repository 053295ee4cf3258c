"""The stand-in of Region switch, served as boto3 finds it."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from aiohttp import web

from local.region_switch.plan import plan_of_resource
from local.region_switch.server import build_app
from local.region_switch.service import RegionSwitch
from tests.region_switch.plans import ARN, ROLES
from tests.region_switch.switch import Switch, World

Serve = Callable[..., Switch]


@pytest.fixture
def world() -> World:
    return World()


class Served:
    """Serves the stand-in from a thread's event loop."""

    def __init__(self, service: RegionSwitch) -> None:
        self._service = service
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> str:
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result()

    async def _serve(self) -> str:
        self._runner = web.AppRunner(build_app(self._service))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def serve(world: World) -> Iterator[Serve]:
    """Serve a plan, given by its properties; `minute_seconds` is for its time limits."""
    with ExitStack() as stack:

        def served(properties: Mapping[str, Any], *, minute_seconds: float = 0.0) -> Switch:
            kinds = ("CustomActionLambda", "RdsPromoteReadReplica", "RdsCreateCrossRegionReplica")
            executors = dict.fromkeys(kinds, world.run)
            service = RegionSwitch(executors, minute_seconds=minute_seconds, roles=ROLES)
            service.add(ARN, plan_of_resource(properties))
            return Switch(stack.enter_context(Served(service)))

        yield served
