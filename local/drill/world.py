"""Two regions on this machine, with what leads from one to the other."""

import asyncio
import contextlib
import json
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from gateway.migrations.upgrade import upgrade
from gateway.settings import variable
from local.drill.names import PublicName
from local.drill.region import Region
from local.drill.relay import Relay
from local.drill.replica import follow
from local.drill.scenario import Scenario
from local.throwaway_servers import (
    CACHE_PASSWORD,
    DATABASE,
    DATABASE_OWNER,
    DATABASE_PASSWORD,
    Postgres,
    free_port,
)

PRIMARY, STANDBY = "us-east-1", "us-west-2"
STANDBY_SIZE = 1
# The simulator of models knows them.
ACCESS_KEY, SECRET_KEY = "AKIAGATEWAY", "secret-of-the-gateway"
MODEL = "chat"
INPUT_USD, OUTPUT_USD = 60.0, 240.0
_HEALTH_SECONDS = 1.0
_CATALOG = {
    "models": [
        {
            "name": MODEL,
            "max_output_tokens": 400,
            "deployments": [
                {
                    "name": region,
                    "provider": "bedrock",
                    "region": region,
                    "model_id": "amazon.nova-lite-v1:0",
                    "price": {"input_usd": INPUT_USD, "output_usd": OUTPUT_USD},
                }
                for region in (PRIMARY, STANDBY)
            ],
        }
    ]
}

# What happens once, just before a step of the plan runs.
Surprise = Callable[[], Awaitable[None]]


@dataclass
class World:
    """What runs. surprises: by the name of a step, in the order in which they happen when it runs.

    old_database: the old primary's, once a replica has taken its place.
    """

    scenario: Scenario
    folder: Path
    primary: Region
    standby: Region
    line: Relay
    name: PublicName
    admin_key: str
    surprises: dict[str, list[Surprise]] = field(default_factory=dict)
    old_database: Postgres | None = None
    _troubles: list[asyncio.Task[None]] = field(default_factory=list)

    def region(self, name: str) -> Region:
        """A region by its name."""
        return {each.name: each for each in (self.primary, self.standby)}[name]

    def trouble(self, lasting: Coroutine[Any, Any, None]) -> None:
        """Let something go on in the background until `calm`."""
        self._troubles.append(asyncio.create_task(lasting))

    async def calm(self) -> None:
        """End what goes on in the background; raises what has ended it before."""
        for task in self._troubles:
            task.cancel()
        ended = await asyncio.gather(*self._troubles, return_exceptions=True)
        self._troubles.clear()
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def stop(self) -> None:
        """Stop everything that still runs."""
        for region in (self.primary, self.standby):
            await region.lose()
        if self.old_database is not None:
            await asyncio.to_thread(self.old_database.stop, signal.SIGKILL)
        await self.line.cut()
        await self.calm()


@contextlib.asynccontextmanager
async def world(folder: Path, model_endpoint: str, scenario: Scenario) -> AsyncIterator[World]:
    """Run both regions while the context lasts: databases first, then what asks them."""
    admin_key = secrets.token_hex(24)
    variables = _variables(_catalog(folder), admin_key, model_endpoint, scenario)
    async with contextlib.AsyncExitStack() as stack:
        postgres = Postgres(free_port(), _folder(folder, "database"))
        stack.callback(postgres.stop)
        await asyncio.to_thread(postgres.start)
        await upgrade(lambda: asyncpg.connect(postgres.dsn))
        line = Relay(free_port(), [postgres.port])
        await line.start()
        stack.push_async_callback(line.cut)
        replica = await asyncio.to_thread(follow, line.port, folder / "replica")
        stack.callback(replica.stop)
        primary = Region(PRIMARY, _folder(folder, PRIMARY), postgres, variables)
        standby = Region(STANDBY, _folder(folder, STANDBY), replica, variables)
        for region, size in ((primary, scenario.gateways), (standby, STANDBY_SIZE)):
            stack.push_async_callback(region.lose)
            await region.start(gateways=size)
        name = PublicName(primary.front_door.url, ttl_seconds=scenario.name_seconds)
        line.late_seconds = scenario.line_seconds
        running = World(scenario, folder, primary, standby, line, name, admin_key)
        stack.push_async_callback(running.stop)
        yield running


async def answers(region: Region, path: str) -> dict[str, Any] | None:
    """What a health check finds at a region's front door; None for anything but a timely 200."""
    timeout = aiohttp.ClientTimeout(total=_HEALTH_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{region.front_door.url}{path}") as answer,
        ):
            found: dict[str, Any] = await answer.json()
            return found if answer.status == 200 else None
    except (aiohttp.ClientError, TimeoutError):
        return None


def _folder(folder: Path, name: str) -> Path:
    own = folder / name
    own.mkdir()
    return own


def _catalog(folder: Path) -> Path:
    catalog = folder / "models.json"
    catalog.write_text(json.dumps(_CATALOG))
    return catalog


def _variables(catalog: Path, admin_key: str, model_endpoint: str, scenario: Scenario) -> Mapping[str, str]:
    """What the gateways of both regions are told."""
    settings = {
        "environment": "drill",
        "models_source": catalog.as_uri(),
        "api_keys": json.dumps({"admin": admin_key}),
        "key_hashing_secret": secrets.token_hex(24),
        "workers": str(scenario.workers),
        "lame_duck_seconds": "1",
        "drain_seconds": "10",
        "bedrock_endpoint_url": model_endpoint,
        "sts_endpoint_url": model_endpoint,
        "host": "127.0.0.1",
        "cache_host": "127.0.0.1",
        "cache_tls": "false",
        "cache_username": "gateway",
        "cache_password": CACHE_PASSWORD,
        "database_host": "127.0.0.1",
        "database_tls": "false",
        "database_name": DATABASE,
        "database_username": DATABASE_OWNER,
        "database_password": DATABASE_PASSWORD,
    }
    told = {variable(name): value for name, value in settings.items()}
    return told | {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
