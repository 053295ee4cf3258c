"""The project whose keys callers use: made by the admin API, as a platform team makes it."""

import asyncio
from dataclasses import dataclass

import httpx

from local.drill.world import World
from local.keys import create_key, create_project, wait_until_known

_BUDGET = "usd_per_day"
# More than any drill spends.
_BUDGET_USD = 1000


@dataclass
class Project:
    """Keys by the order in which they were made. id: the project's."""

    world: World
    id: str
    keys: list[str]

    async def add_key(self) -> None:
        """Make a key in the primary, that nobody uses before the failover."""
        self.keys = [*self.keys, await self._create_key(self.world.primary.front_door.url)]

    async def keys_lost(self) -> int:
        """How many keys the standby refuses; it has to make another one. Raises httpx.HTTPError."""
        return await asyncio.to_thread(self._keys_lost, self.world.standby.front_door.url)

    async def counted_usd(self) -> float:
        """What the standby counts of the project's budget."""
        return await asyncio.to_thread(self._counted_usd, self.world.standby.front_door.url)

    def _keys_lost(self, url: str) -> int:
        new = create_key(url, self.world.admin_key, self.id, "afterwards")
        wait_until_known([url], new)
        with httpx.Client(base_url=url) as client:
            answers = [
                client.get("/v1/models", headers={"authorization": f"Bearer {key}"}) for key in self.keys
            ]
        return sum(answer.status_code != 200 for answer in answers)

    def _counted_usd(self, url: str) -> float:
        answer = httpx.get(
            f"{url}/admin/v1/limits",
            params={"project_id": self.id},
            headers={"authorization": f"Bearer {self.world.admin_key}"},
        )
        answer.raise_for_status()
        (used,) = (limit["used"] for limit in answer.json()["data"] if limit["name"] == _BUDGET)
        return float(used)

    async def _create_key(self, url: str) -> str:
        name = f"key-{len(self.keys)}"
        return await asyncio.to_thread(create_key, url, self.world.admin_key, self.id, name)


async def create(world: World, *, keys: int) -> Project:
    """Make a project with keys in the primary, and wait until both regions know them."""
    url = world.primary.front_door.url
    project_id = await asyncio.to_thread(
        create_project, url, world.admin_key, "drill", limits={_BUDGET: _BUDGET_USD}
    )
    project = Project(world, project_id, [])
    for _ in range(keys):
        await project.add_key()
    addresses = [*(gateway.url for gateway in world.primary.gateways), world.standby.front_door.url]
    await asyncio.to_thread(wait_until_known, addresses, project.keys[-1])
    return project
