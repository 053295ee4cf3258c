"""The limits as one process keeps them by itself, for while the cache is away: admit.lua in Python.

Of a caller's limits a process keeps to its share, of a calendar window to its share of what is left.
"""

from collections import defaultdict
from collections.abc import Iterable

from gateway.admission.local_counters import CalendarWindow, Counter, RollingWindow
from gateway.admission.periods import Period, period_of
from gateway.admission.reply import (
    CALLER_ALONE,
    NO_ROOM,
    REFUSED,
    WAIT_NEVER,
    Reply,
    WindowState,
)
from gateway.admission.windows import BUCKETS, WIDTHS, Correction, LimitWindow, Question

# When to ask again if the whole limit has room, but this process's share has not: the cache may be back.
_SHARE_SECONDS = 30


class LocalWindows:
    """Every window of this process, by the name it has in the cache."""

    def __init__(self) -> None:
        self._capacities: defaultdict[str, RollingWindow] = defaultdict(lambda: RollingWindow(1))
        self._rolling: dict[str, RollingWindow] = {}
        self._calendars: dict[str, CalendarWindow] = {}
        self._births = 0

    def begin_outage(self, now: int) -> None:
        """Forget what the cache and the ledger know better, and what has left its window."""
        self._calendars.clear()
        for key in [key for key, window in self._rolling.items() if not window.used(now)]:
            del self._rolling[key]

    def not_begun(self, windows: Iterable[LimitWindow]) -> list[LimitWindow]:
        """The calendar windows of which the ledger's sums are needed first."""
        return [window for window in windows if window.is_calendar and window.key not in self._calendars]

    def begin(self, window: LimitWindow, in_ledger: int, at: int) -> None:
        """Begin a calendar window with what was used of it up to now."""
        if window.key not in self._calendars:
            self._calendars[window.key] = self._calendar(period_of(window.kind, at), in_ledger)

    def admit(self, question: Question, now: int, *, processes: int) -> Reply:
        """Do what admit.lua does; `processes` share each limit of the caller."""
        counters, states = [], []
        for window in question.windows:
            counter = self._counter(window, now)
            counters.append(counter)
            states.append(_state(window, counter, window.amount(question.needs), now, processes))
        waits = [state.wait for state in states if state.refuses]
        if waits:
            longest = WAIT_NEVER if WAIT_NEVER in waits else max(waits)
            return Reply(REFUSED, longest, now, tuple(states), True)
        outcome, seconds = self._take_up(question, now)
        if outcome == NO_ROOM:
            return Reply(outcome, seconds, now, tuple(states), True)
        for window, counter in zip(question.windows, counters, strict=True):
            amount = window.amount(question.needs)
            counter.count(amount, now, window.unit != "requests")
        counted = [
            _state(window, counter, 0, now, processes)
            for window, counter in zip(question.windows, counters, strict=True)
        ]
        return Reply(outcome, 0, now, tuple(counted), True)

    def settle(self, corrections: Iterable[Correction]) -> None:
        """Do what settle.lua does."""
        for correction in corrections:
            key = correction.key
            counter = self._calendars.get(key) or self._rolling.get(key) or self._capacities.get(key)
            if counter is not None:
                counter.settle(correction)

    def _take_up(self, question: Question, now: int) -> tuple[int, int]:
        """The outcome, with the seconds until a deployment has room if none has."""
        if not question.capacities:
            return CALLER_ALONE, 0
        least = BUCKETS + 1
        for number, capacity in enumerate(question.capacities, 1):
            # A request that needs more than a whole minute's tokens takes all of them.
            reserved = min(question.needs.tokens, capacity.token_limit)
            wanted = [
                (self._capacities[key], limit, amount)
                for key, limit, amount in (
                    (capacity.request_key, capacity.request_limit, 1),
                    (capacity.token_key, capacity.token_limit, reserved),
                )
                if limit
            ]
            seconds = max((window.wait(limit, amount, now) for window, limit, amount in wanted), default=0)
            if not seconds:
                for window, _, amount in wanted:
                    window.count(amount, now)
                return number, 0
            least = min(least, seconds)
        return NO_ROOM, least

    def _counter(self, window: LimitWindow, now: int) -> Counter:
        width = WIDTHS.get(window.kind)
        if width is not None:
            found = self._rolling.get(window.key)
            if found is None:
                found = self._rolling[window.key] = RollingWindow(width)
            return found
        calendar, period = self._calendars[window.key], period_of(window.kind, now)
        if calendar.period.number != period.number:
            calendar = self._calendars[window.key] = self._calendar(period, 0)
        return calendar

    def _calendar(self, period: Period, in_ledger: int) -> CalendarWindow:
        self._births += 1
        return CalendarWindow(period, in_ledger, self._births)


def _state(window: LimitWindow, counter: Counter, amount: int, now: int, processes: int) -> WindowState:
    in_ledger = counter.in_ledger if isinstance(counter, CalendarWindow) else 0
    whole = max(window.limit - in_ledger, 0)
    # A share is one request at least, so that a low limit does not become none.
    share = max(whole // processes, min(whole, 1)) if window.unit == "requests" else whole // processes
    wait = counter.wait(share, amount, now)
    if wait and counter.used(now) + amount <= whole and share < whole:
        wait = _SHARE_SECONDS if wait == WAIT_NEVER else min(wait, _SHARE_SECONDS)
    used = window.limit - share + counter.used(now)
    return WindowState(used, counter.reset(now), wait, 0, counter.born)
