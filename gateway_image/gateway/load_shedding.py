"""Refuses requests early while there is more to do than the process can, the least important first.

What measures the load is how late the event loop runs what is due. Each request passes the loop several
times, so this delay, and not the CPU's use, is what callers wait for.
"""

import asyncio
import math
import random
import time
from collections.abc import Callable, Sized
from dataclasses import dataclass

from gateway.callers import Priority
from gateway.errors import GatewayError

_PROBE_SECONDS = 0.05
# The mean takes in 63 % of a change in this time. It falls slowly: those refused together come back together.
_RISING_SECONDS = 0.25
_FALLING_SECONDS = 1.0
# A single turn of the loop may take longer than the mean may become: it may be all there is to do.
_SHARE_OF_TURN = 0.25
_RETRY_AFTER_SECONDS = (1, 5)
# With fewer, it is not the requests that make the loop late, and refusing some would not help: a millisecond
# or so of work for each cannot add up to the delays below.
_MANY_REQUESTS = 32


@dataclass(frozen=True, slots=True)
class _Tolerance:
    """Refusing begins at one delay and is complete at the other; share is of the concurrent requests."""

    begin_seconds: float
    end_seconds: float
    share: float


_TOLERANCES: dict[Priority, _Tolerance] = {
    "low": _Tolerance(0.05, 0.1, 0.8),
    "normal": _Tolerance(0.1, 0.25, 0.9),
    "high": _Tolerance(0.4, 0.8, 1.0),
}


class LoadShedding:
    """Decides which requests are let in while the given ones are running.

    delay_seconds: by how much the event loop is late, as a mean over the last moments.
    """

    def __init__(
        self, running: Sized, count_refusal: Callable[[Priority], None], *, max_concurrent_requests: int
    ) -> None:
        self._running = running
        self._count_refusal = count_refusal
        self._limits = {
            priority: round(tolerance.share * max_concurrent_requests)
            for priority, tolerance in _TOLERANCES.items()
        }
        self.delay_seconds = 0.0
        self._due = math.inf
        self._arrived = 0
        self._arrived_before = 0

    async def watch(self) -> None:
        """Measure the delay again and again until cancelled."""
        while True:
            self._due = time.monotonic() + _PROBE_SECONDS
            await asyncio.sleep(_PROBE_SECONDS)
            self.learn(max(0.0, time.monotonic() - self._due))

    def learn(self, delay_seconds: float) -> None:
        """Take a measured delay into the mean; it has lasted for as long as it is."""
        self._arrived_before, self._arrived = self._arrived, 0
        change = delay_seconds - self.delay_seconds
        mean_seconds = _RISING_SECONDS if change > 0 else _FALLING_SECONDS
        self.delay_seconds += change * (1 - math.exp(-(delay_seconds + _PROBE_SECONDS) / mean_seconds))

    def admit(self, priority: Priority) -> None:
        """Let a request in that counts among those running; raises GatewayError 503."""
        self._arrived += 1
        if len(self._running) > self._limits[priority] or self._is_late(_TOLERANCES[priority]):
            self._count_refusal(priority)
            raise overloaded()

    def _is_late(self, tolerance: _Tolerance) -> bool:
        # Those that need no provider are over before the next one arrives, and still take their time.
        if len(self._running) + max(self._arrived, self._arrived_before) < _MANY_REQUESTS:
            return False
        # Many may arrive in one turn of the loop, before their delay can be measured.
        delay_of_turn = _SHARE_OF_TURN * (time.monotonic() - self._due)
        excess = max(self.delay_seconds, delay_of_turn) - tolerance.begin_seconds
        if excess <= 0:
            return False
        # In proportion to the excess: all or nothing would swing between idle and overloaded.
        return random.random() * (tolerance.end_seconds - tolerance.begin_seconds) < excess  # noqa: S311 (no secret)


def overloaded() -> GatewayError:
    """The error for a request that is refused because there is too much to do."""
    # Spread out, so that those refused together do not come back together.
    retry_after_seconds = random.randint(*_RETRY_AFTER_SECONDS)  # noqa: S311 (no secret)
    return GatewayError(
        503,
        f"The gateway is overloaded; try again in {retry_after_seconds} s.",
        type="api_error",
        code="overloaded",
        retry_after_seconds=retry_after_seconds,
    )
