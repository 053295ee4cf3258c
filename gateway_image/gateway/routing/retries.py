"""When deployments that have failed are called again."""

from random import Random

from gateway.routing.strategies import Candidate, Candidates

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0


class Retries:
    """Exponential backoff with full jitter over the deployments that failed one request.

    Times are in seconds, on one clock.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._pauses = 0
        self._not_before: dict[Candidate, float] = {}

    def add(self, candidate: Candidate, *, not_before: float) -> None:
        """Note that a deployment failed and when it may be called again."""
        # Taken out first: a dict keeps the place of a key, and the one that failed last is to be the last.
        self._not_before.pop(candidate, None)
        self._not_before[candidate] = not_before

    def next_pause(self, now: float) -> float | None:
        """How long to wait before calling one of them again, None if none is worth waiting for."""
        if not self._not_before:
            return None
        longest = min(_FIRST_PAUSE_SECONDS * 2**self._pauses, _LONGEST_PAUSE_SECONDS)
        pause = max(self._random.uniform(0, longest), min(self._not_before.values()) - now)
        self._pauses += 1
        return pause if pause <= _LONGEST_PAUSE_SECONDS else None

    def due(self, now: float) -> Candidates:
        """Those that may be called again, the one that failed longest ago first."""
        return [candidate for candidate, not_before in self._not_before.items() if not_before <= now]
