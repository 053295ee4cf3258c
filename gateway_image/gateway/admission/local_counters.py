"""How one process keeps a window by itself: rolling and calendar windows, as windows.lua says what they are.

Nothing here outlives the process, so that reservations need no leases.
"""

from typing import Protocol

from gateway.admission.periods import Period
from gateway.admission.reply import WAIT_NEVER
from gateway.admission.windows import BUCKETS, Correction

# When to ask again if only what others have reserved is in the way, as in admit.lua.
_RESERVED_SECONDS = 5


class Counter(Protocol):
    """What both kinds can do; times are Unix seconds. born: tells apart the periods of one limit."""

    born: int

    def used(self, now: int, /) -> int:
        """What it holds."""

    def wait(self, limit: int, amount: int, now: int, /) -> int:
        """Seconds until an amount may fit below the limit, 0 if it does now, WAIT_NEVER if it never will."""

    def reset(self, now: int, /) -> int:
        """Seconds until nothing of it is left; WAIT_NEVER in a total."""

    def count(self, amount: int, now: int, is_reservation: bool, /) -> None:
        """Count an amount now."""

    def settle(self, correction: Correction, /) -> None:
        """Replace what was reserved, unless that has left the window."""


class RollingWindow:
    """The amounts of 60 buckets, by the number of each."""

    def __init__(self, width: int, born: int = 0) -> None:
        self.born = born
        self._width = width
        self._amounts: dict[int, int] = {}
        self._used = 0

    def used(self, now: int) -> int:
        """What it holds."""
        # A bucket that has passed in part still counts in full; those far ahead were counted before the
        # clock was set back.
        bucket = now // self._width
        for other in [other for other in self._amounts if abs(bucket - other) > BUCKETS]:
            self._used -= self._amounts.pop(other)
        return self._used

    def wait(self, limit: int, amount: int, now: int) -> int:
        """Seconds until an amount fits below the limit, 0 if it does now."""
        excess = self.used(now) + amount - limit
        if excess <= 0:
            return 0
        here = now // self._width
        for bucket in sorted(self._amounts):
            excess -= self._amounts[bucket]
            if excess <= 0 and bucket <= here:
                return (bucket + BUCKETS + 1) * self._width - now
        return (here + BUCKETS + 1) * self._width - now

    def reset(self, now: int) -> int:
        """Seconds until nothing of it is left."""
        if not self.used(now):
            return 0
        return (max(self._amounts) + BUCKETS + 1) * self._width - now

    def count(self, amount: int, now: int, _is_reservation: bool = True) -> None:
        """Count an amount in the present bucket."""
        bucket = now // self._width
        self._amounts[bucket] = self._amounts.get(bucket, 0) + amount
        self._used += amount

    def settle(self, correction: Correction) -> None:
        """Replace what was reserved, unless it has left the window."""
        counted = self._amounts.get(correction.place)
        if counted is not None:
            change = max(correction.used - correction.reserved, -counted)
            self._amounts[correction.place] += change
            self._used += change


class CalendarWindow:
    """What this process has used and reserved in a period, of what the ledger said was left."""

    def __init__(self, period: Period, in_ledger: int, born: int) -> None:
        self.period = period
        self.in_ledger = in_ledger
        self.born = born
        self._settled = 0
        self._reserved = 0

    def used(self, _now: int = 0) -> int:
        """What this process holds of it, without what is in the ledger."""
        return self._settled + self._reserved

    def wait(self, limit: int, amount: int, now: int) -> int:
        """Seconds until an amount may fit below the limit, 0 if it does now; WAIT_NEVER in a total."""
        if self.used() + amount <= limit:
            return 0
        left = None if self.period.ends is None else self.period.ends - now
        if self._settled + amount <= limit:
            return _RESERVED_SECONDS if left is None else min(_RESERVED_SECONDS, left)
        return WAIT_NEVER if left is None else left

    def reset(self, now: int) -> int:
        """Seconds until nothing of it is left; WAIT_NEVER in a total."""
        return WAIT_NEVER if self.period.ends is None else self.period.ends - now

    def count(self, amount: int, _now: int, is_reservation: bool) -> None:
        """Count an amount in the present period."""
        if is_reservation:
            self._reserved += amount
        else:
            self._settled += amount

    def settle(self, correction: Correction) -> None:
        """Replace what was reserved, unless that was in a period that has ended."""
        if self.born != correction.born:
            return
        if correction.how == "lease":
            self._reserved -= correction.reserved
            self._settled += correction.used
        else:
            self._settled += correction.used - correction.reserved
