"""Whether the services beside the gateway answer, kept current in the background for information."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from gateway.structured_log import StructuredLog

State = Literal["reachable", "read_only", "unreachable", "unknown"]
# None: reachable.
Check = Callable[[], Awaitable[State | None]]

_INTERVAL_SECONDS = 5
_LIMIT_SECONDS = 2


class UnreachableError(Exception):
    """A service did not answer as it should; the message holds no secret."""


class Reachability:
    """The last known state of the cache and the database.

    read_only: the database is a replica, as in a region that stands by.
    """

    def __init__(self, ping_cache: Check, ping_database: Check, log: StructuredLog) -> None:
        self._checks = {"cache": ping_cache, "database": ping_database}
        self._log = log
        self.states: dict[str, State] = dict.fromkeys(self._checks, "unknown")

    async def watch(self) -> None:
        """Check every service again and again until cancelled."""
        while True:
            await asyncio.gather(*(self._check(name, check) for name, check in self._checks.items()))
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def _check(self, name: str, check: Check) -> None:
        state: State
        reason = None
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                state = await check() or "reachable"
        except UnreachableError as error:
            state, reason = "unreachable", str(error)
        except TimeoutError:
            state, reason = "unreachable", f"no answer within {_LIMIT_SECONDS} s"
        if state != self.states[name]:
            self.states[name] = state
            level: Literal["info", "warning"] = "warning" if state == "unreachable" else "info"
            self._log.write(level, "reachability", service=name, state=state, reason=reason)
