"""How each deployment is doing, as far as this process knows: its cooldown, its load and its figures."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf

from gateway.catalog import Deployment
from gateway.errors import MODEL_FAILED, GatewayError
from gateway.routing.cooldown import RECOVERED, Cause, Cooldown, CooldownExchange
from gateway.routing.figures import Figures

Clock = Callable[[], float]

_THROTTLED_SECONDS = 30.0
_FIRST_FAILURE_SECONDS = 2.0
_LONGEST_FAILURE_SECONDS = 300.0
_DOUBLINGS_TO_LONGEST = 8
# A provider that asks for more than this is asked again nevertheless: it may mean a date, or be mistaken.
_LONGEST_RETRY_AFTER_SECONDS = 3600.0
# Requests that were under way together fail together; what the later ones add is told only if it matters.
_NOTABLE_SECONDS = 0.5
# What decides how many requests a deployment gets, not where they go or how it is doing.
_SHARE_FIELDS = {"tier", "weight", "capacity", "price"}


@dataclass(slots=True, eq=False)
class DeploymentState:
    """Times are of the monotonic clock of the states, in seconds.

    failures: how often in a row it failed for another cause than throttling.
    cooled_at: when the cooldown began.
    in_flight: requests of this process under way there.
    last_error_code: of its last attempt that failed.
    """

    name: str
    cooling_until: float = -inf
    cooled_at: float = -inf
    failures: int = 0
    cause: Cause = "failing"
    in_flight: int = 0
    last_error_code: str | None = None
    figures: Figures = field(default_factory=Figures)


class States:
    """The states of all deployments, by name."""

    def __init__(
        self, exchange: CooldownExchange, *, clock: Clock = time.monotonic, wall_clock: Clock = time.time
    ) -> None:
        self.clock = clock
        self._exchange = exchange
        self._wall_clock = wall_clock
        self._states: dict[str, DeploymentState] = {}
        self._places: dict[str, object] = {}

    def adopt(self, deployments: Iterable[Deployment]) -> dict[str, DeploymentState]:
        """Return the states of these deployments by name, and forget all others.

        A deployment of the same name keeps its state unless it has changed in more than its share, and takes
        over what was learnt of that name before it came.
        """
        states: dict[str, DeploymentState] = {}
        places: dict[str, object] = {}
        for deployment in deployments:
            name = deployment.name
            place = places[name] = deployment.model_dump(exclude=_SHARE_FIELDS)
            unchanged = self._places.get(name, place) == place
            states[name] = self._state(name) if unchanged else DeploymentState(name)
        self._states, self._places = states, places
        return states

    def of(self, name: str) -> DeploymentState | None:
        """The state of a deployment; None if there is no such deployment."""
        return self._states.get(name)

    def cooling(self) -> list[DeploymentState]:
        """The deployments that are left alone for now."""
        now = self.clock()
        return [state for state in self._states.values() if state.cooling_until > now]

    def failed(self, state: DeploymentState, error: GatewayError, *, began: float) -> None:
        """Cool a deployment for an error that is not the caller's fault, of an attempt that began then."""
        now = self.clock()
        state.figures.error_rate.note(1.0, now)
        state.last_error_code = error.code
        if error.code == MODEL_FAILED:
            # The model could make nothing of this request; it says nothing about the next one.
            return
        throttled = error.status == 429
        # Attempts that were under way when the deployment was cooled tell of the same trouble once more.
        news = began >= state.cooled_at
        if news and not throttled:
            state.failures += 1
        until = now + _cooldown_seconds(error, state.failures)
        if news or until > state.cooling_until + _NOTABLE_SECONDS:
            self._cool(state, until, "throttled" if throttled else "failing", now)
            self._tell(state, self._wall_clock() + state.cooling_until - now)

    def succeeded(
        self, state: DeploymentState, *, began: float, seconds: float, first_token_seconds: float | None
    ) -> None:
        """Take in an answer of an attempt that began then; it ends a cooldown that is not younger."""
        now = self.clock()
        figures = state.figures
        figures.latency.note(seconds, now)
        figures.error_rate.note(0.0, now)
        if first_token_seconds is not None:
            figures.time_to_first_token.note(first_token_seconds, now)
        # An answer that was under way before the trouble began does not show that it is over.
        if began >= state.cooled_at and (state.failures or state.cooling_until > now):
            state.failures, state.cooling_until = 0, now
            self._tell(state, RECOVERED)

    def abandoned(self, state: DeploymentState, *, began: float, answer_begun: bool) -> None:
        """Take in that an attempt that began then was given up by its caller."""
        now = self.clock()
        # A deployment so slow that callers give up would otherwise never be known as slow.
        state.figures.latency.note_at_least(now - began, now)
        if not answer_begun:
            state.figures.time_to_first_token.note_at_least(now - began, now)

    def learn(self, cooldown: Cooldown) -> None:
        """Take in what a process, perhaps this one, told of a deployment."""
        state = self._state(cooldown.deployment)
        now = self.clock()
        if cooldown.until_unix_seconds == RECOVERED:
            state.failures, state.cooling_until = 0, min(state.cooling_until, now)
            return
        until = now + cooldown.until_unix_seconds - self._wall_clock()
        if until <= now:
            # It came late, or from a clock that is behind: that it is over does not show a recovery.
            return
        state.failures = max(state.failures, cooldown.failures)
        # What this process told comes back to it; taken as news it would hide the attempts begun meanwhile.
        if until > state.cooling_until + _NOTABLE_SECONDS:
            self._cool(state, until, cooldown.cause, now)

    def _state(self, name: str) -> DeploymentState:
        return self._states.setdefault(name, DeploymentState(name))

    def _tell(self, state: DeploymentState, until_unix_seconds: float) -> None:
        # An attempt that outlived its deployment says nothing of one that has taken over the name.
        if self._states.get(state.name) is state:
            self._exchange.tell(Cooldown(state.name, until_unix_seconds, state.failures, state.cause))

    def _cool(self, state: DeploymentState, until: float, cause: Cause, now: float) -> None:
        state.cooled_at = now
        if until > state.cooling_until:
            state.cooling_until, state.cause = until, cause


def _cooldown_seconds(error: GatewayError, failures: int) -> float:
    if error.retry_after_seconds is not None:
        return min(error.retry_after_seconds, _LONGEST_RETRY_AFTER_SECONDS)
    if error.status == 429:
        return _THROTTLED_SECONDS
    doublings = min(max(failures - 1, 0), _DOUBLINGS_TO_LONGEST)
    return min(_FIRST_FAILURE_SECONDS * (1 << doublings), _LONGEST_FAILURE_SECONDS)
