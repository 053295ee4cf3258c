"""Quotas per minute, counted as Bedrock counts them.

Tokens are reserved when a request is admitted (its input and the most it may answer) and settled to
what it really used when it ends, so a careless maximum costs quota while the request runs.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal

from local.bedrock_simulator.scenario import Quota

_WINDOW_SECONDS = 60.0


@dataclass(eq=False)
class Reservation:
    """What one admitted request holds of a quota."""

    admitted_at: float
    tokens: int
    expired: bool = False


class Window:
    """One quota's use in the current minute; rolling, or starting with each minute of the clock."""

    def __init__(self, quota: Quota, *, fixed: bool) -> None:
        self.quota = quota
        self._fixed = fixed
        self._reservations: deque[Reservation] = deque()
        self._tokens = 0

    def requests_used(self, now: float) -> int:
        """Requests admitted in the window that holds `now`, in seconds since the epoch."""
        self._expire(now)
        return len(self._reservations)

    def tokens_used(self, now: float) -> int:
        """Tokens reserved or used in the window that holds `now`."""
        self._expire(now)
        return self._tokens

    def lacks(self, tokens: int, now: float) -> Literal["requests", "tokens"] | None:
        """What a request of so many tokens would exceed, or None if there is room."""
        requests_limit, tokens_limit = self.quota.requests_per_minute, self.quota.tokens_per_minute
        if requests_limit is not None and self.requests_used(now) >= requests_limit:
            return "requests"
        if tokens_limit is not None and self.tokens_used(now) + tokens > tokens_limit:
            return "tokens"
        return None

    def reserve(self, tokens: int, now: float) -> Reservation:
        """Count a request, whether or not there is room."""
        reservation = Reservation(now, tokens)
        self._reservations.append(reservation)
        self._tokens += tokens
        return reservation

    def settle(self, reservation: Reservation, tokens: int) -> None:
        """Put what was used in place of what was reserved."""
        if not reservation.expired:
            self._tokens += tokens - reservation.tokens
        reservation.tokens = tokens

    def _expire(self, now: float) -> None:
        while self._reservations and self._is_over(self._reservations[0].admitted_at, now):
            reservation = self._reservations.popleft()
            reservation.expired = True
            self._tokens -= reservation.tokens

    def _is_over(self, admitted_at: float, now: float) -> bool:
        if self._fixed:
            return admitted_at // _WINDOW_SECONDS != now // _WINDOW_SECONDS
        return now - admitted_at >= _WINDOW_SECONDS
