"""Slows down whoever tries out credentials: failures counted for each address they come from."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address

from gateway.callers import Address

FAILURES = 20
WINDOW_SECONDS = 60
# Of addresses that failed lately; the one that failed longest ago is forgotten first.
_ADDRESSES = 10_000
# What one household or server is given of IPv6: counting single addresses would count nothing.
_IPV6_NETWORK_BITS = 64


@dataclass(slots=True)
class _Window:
    began: float
    failures: int = 0


class FailedAttempts:
    """Counts failures in this process. After `FAILURES` of them an address has to wait for its minute to end.

    An address that is not known is counted as one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: OrderedDict[int | None, _Window] = OrderedDict()

    def note(self, address: Address | None) -> None:
        """Count a failure."""
        key, now = _key(address), self._clock()
        window = self._windows.get(key)
        if window is None or now >= window.began + WINDOW_SECONDS:
            window = self._windows[key] = _Window(now)
        window.failures += 1
        self._windows.move_to_end(key)
        if len(self._windows) > _ADDRESSES:
            self._windows.popitem(last=False)

    def seconds_to_wait(self, address: Address | None) -> int:
        """How long credentials from there are not looked up any more unless they are known; 0 if they are."""
        window = self._windows.get(_key(address))
        if window is None or window.failures < FAILURES:
            return 0
        return max(0, math.ceil(window.began + WINDOW_SECONDS - self._clock()))


def _key(address: Address | None) -> int | None:
    if address is None:
        return None
    if isinstance(address, IPv6Address):
        return -1 - (int(address) >> (128 - _IPV6_NETWORK_BITS))
    return int(address)
