"""What the admin API needs of the rest of a gateway process."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.callers import Caller, Subject
from gateway.catalog import Catalog
from gateway.database.share import Connections
from gateway.limits import Limits
from gateway.request import Request
from gateway.routing.states import States


class Standing(Protocol):
    """How much of one limit is used: amounts as in gateway.limits, reset_seconds None if never."""

    @property
    def subject(self) -> Subject:
        """Whose use is counted."""

    @property
    def name(self) -> str:
        """The limit's name in Limits."""

    @property
    def limit(self) -> int:
        """The limit."""

    @property
    def used(self) -> int:
        """What is used of it, with what running requests hold."""

    @property
    def reset_seconds(self) -> int | None:
        """When all of it will be there again."""


class Counters(Protocol):
    """Knows what callers have used of their limits; see gateway.admission."""

    async def standing(self, limits: Sequence[tuple[Subject, Limits]]) -> Sequence[Standing]:
        """How much is used of each limit that is set; raises CacheError."""


@dataclass(frozen=True, kw_only=True)
class AdminParts:
    """The parts of a process.

    identify: who calls; raises GatewayError. catalog: the one that is served now. states: how its
    deployments do. bootstrap_callers: those of the bootstrap keys, by their ID. key_hashing_secret: what API
    keys are hashed with.
    """

    identify: Callable[[Request], Awaitable[Caller]]
    database: Connections
    counters: Counters
    catalog: Callable[[], Catalog]
    states: States
    bootstrap_callers: Mapping[str, Caller]
    key_hashing_secret: bytes
