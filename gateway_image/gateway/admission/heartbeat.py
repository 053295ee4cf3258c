"""How many processes enforce limits: while the cache is away, each of them keeps to its share."""

import asyncio
import secrets

from gateway.admission.scripts import script
from gateway.cache import keys
from gateway.cache.connection import Cache
from gateway.cache.errors import CacheError

_EVERY_SECONDS = 5
_ALIVE_SECONDS = 15
# After a failure, so that a process that has just started, or a new cache, soon knows.
_RETRY_SECONDS = 0.5


class Heartbeat:
    """Tells the cache that this process is there. processes: how many there were then; at least 1."""

    def __init__(self, cache: Cache) -> None:
        self.processes = 1
        self._cache = cache
        self._id = secrets.token_hex(8)
        self._script = cache.add_script(script("heartbeat"))

    async def keep(self) -> None:
        """Tell it every few seconds until cancelled; then tell that this process leaves."""
        try:
            while True:
                is_heard = await self._beat()
                await asyncio.sleep(_EVERY_SECONDS if is_heard else _RETRY_SECONDS)
        finally:
            self._cache.post("ZREM", keys.PROCESSES, self._id)

    async def _beat(self) -> bool:
        try:
            count = await self._cache.send(
                "EVALSHA", self._script, 1, keys.PROCESSES, self._id, _ALIVE_SECONDS
            )
        except CacheError:
            return False
        self.processes = max(int(count), 1)
        return True
