"""The limits as one process keeps them by itself, for while the cache is away: admit.lua in Python."""

import time
from collections import defaultdict
from collections.abc import Sequence

WINDOW_SECONDS = 60


class Window:
    """The amounts of the last minute, by the second in which they were counted."""

    def __init__(self) -> None:
        self._amounts: dict[int, int] = {}
        self.used = 0

    def seconds_until_room(self, limit: int, amount: int, now: int) -> int:
        """0 if the amount fits below the limit now."""
        self._advance(now)
        excess = self.used + amount - limit
        if excess <= 0:
            return 0
        for second, counted in self._amounts.items():
            excess -= counted
            if excess <= 0:
                return second + WINDOW_SECONDS + 1 - now
        return WINDOW_SECONDS + 1

    def seconds_until_empty(self, now: int) -> int:
        """How long the amounts counted last stay in the window."""
        newest = next(reversed(self._amounts), now - WINDOW_SECONDS - 1)
        return newest + WINDOW_SECONDS + 1 - now

    def count(self, amount: int, now: int) -> None:
        """Count an amount in the present second."""
        self._amounts[now] = self._amounts.get(now, 0) + amount
        self.used += amount

    def correct(self, second: int, change: int) -> None:
        """Change what was counted in a second, unless it has left the window."""
        if second in self._amounts:
            self._amounts[second] += change
            self.used += change

    def _advance(self, now: int) -> None:
        # A second that has passed in part still counts in full.
        for second in [second for second in self._amounts if second < now - WINDOW_SECONDS]:
            self.used -= self._amounts.pop(second)


class LocalWindows:
    """Every window of this process, by the name it has in the cache."""

    def __init__(self) -> None:
        self._windows: defaultdict[str, Window] = defaultdict(Window)

    def admit(self, keys: Sequence[str], arguments: Sequence[int]) -> list[int]:
        """Do what admit.lua does, with the same keys, arguments and reply."""
        now = int(time.monotonic())
        caller_limit, tokens = arguments[:2]
        seconds = self._seconds_until_room(keys[0], caller_limit, 1, now)
        if seconds:
            return [-1, seconds, now, *self._caller(keys[0], caller_limit, now)]
        least = WINDOW_SECONDS + 1
        for n in range(1, len(keys) // 2 + 1):
            limits = arguments[2 * n : 2 * n + 2]
            needs = (1, min(tokens, limits[1]))
            wanted = list(zip(keys[2 * n - 1 : 2 * n + 1], limits, needs, strict=True))
            seconds = max(self._seconds_until_room(*each, now) for each in wanted)
            if not seconds:
                for key, limit, amount in ((keys[0], caller_limit, 1), *wanted):
                    if limit:
                        self._windows[key].count(amount, now)
                return [n, 0, now, *self._caller(keys[0], caller_limit, now)]
            least = min(least, seconds)
        return [0, least, now, *self._caller(keys[0], caller_limit, now)]

    def correct(self, key: str, second: int, change: int) -> None:
        """Do what settle.lua does."""
        self._windows[key].correct(second, change)

    def _seconds_until_room(self, key: str, limit: int, amount: int, now: int) -> int:
        return self._windows[key].seconds_until_room(limit, amount, now) if limit else 0

    def _caller(self, key: str, limit: int, now: int) -> tuple[int, int]:
        if not limit:
            return 0, 0
        window = self._windows[key]
        return window.used, window.seconds_until_empty(now)
