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
        self._withheld = _withheld_seconds()

    def share(self) -> float:
        """Of all cores' time since then, what neither this process nor its descendants used."""
        return (_busy_seconds() - _own_seconds() - self._busy) / self._all_seconds()

    def withheld(self) -> float:
        """Of all cores' time since then, what the host of a virtual machine gave to others."""
        return (_withheld_seconds() - self._withheld) / self._all_seconds()

    def _all_seconds(self) -> float:
        return (time.monotonic() - self._began) * (os.cpu_count() or 1)


def _busy_seconds() -> float:
    user, nice, system, *_ = _ticks()
    return (user + nice + system) / _TICKS_PER_SECOND


def _withheld_seconds() -> float:
    return _ticks()[7] / _TICKS_PER_SECOND


def _ticks() -> list[int]:
    return [int(ticks) for ticks in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]


def _own_seconds() -> float:
    """Of this process and the children that have ended, with all theirs."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
