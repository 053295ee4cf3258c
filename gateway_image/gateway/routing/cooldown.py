"""What gateway processes tell each other about deployments that fail."""

from dataclasses import dataclass
from typing import Literal, Protocol

Cause = Literal["throttled", "failing"]

# Long past, so that no other process's clock makes a cooldown of it.
RECOVERED = 0.0


@dataclass(frozen=True, slots=True)
class Cooldown:
    """A time in which a deployment is left alone.

    until_unix_seconds: when it may be tried again; RECOVERED if it has answered.
    failures: how often in a row it failed for another cause than throttling; sets how long the next cooldown
    is.
    """

    deployment: str
    until_unix_seconds: float
    failures: int
    cause: Cause


class CooldownExchange(Protocol):
    """How the other processes learn of a cooldown."""

    def tell(self, cooldown: Cooldown) -> None:
        """Pass a cooldown, or a recovery, on; returns at once and never raises."""
