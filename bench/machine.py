"""How much of the machine others use while something is measured."""

import os
import time
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class OtherWork:
    """Begins to watch when it is made; neither then nor when asked may a child process be running."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._busy = _busy_seconds() - _own_seconds()

    def share(self) -> float:
        """Of all cores' time since then, what neither this process nor its descendants used."""
        busy = _busy_seconds() - _own_seconds() - self._busy
        return busy / (time.monotonic() - self._began) / (os.cpu_count() or 1)


def _busy_seconds() -> float:
    user, nice, system, *_ = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:])
    return (user + nice + system) / _TICKS_PER_SECOND


def _own_seconds() -> float:
    """Of this process and the children that have ended, with all theirs."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
