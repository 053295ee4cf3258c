"""What is asked of the counters: a caller's windows, deployments' capacities, and the words of scripts."""

from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from gateway.admission.outcome import CallerReservation, Needs, Reservation
from gateway.cache import keys
from gateway.callers import Caller, Subject
from gateway.catalog import Deployment
from gateway.limits import DIMENSIONS, ROLLING, Limits, Unit, Window, amount

# Of the buckets of rolling windows, in seconds. windows.lua has the same, and says what windows are.
WIDTHS: dict[Window, int] = {"minute": 1, "hour": 60}
BUCKETS = 60
LEASE_SECONDS = 1200

Word = str | int


class LimitWindow(NamedTuple):
    """The window of one limit on one subject. limit: in whole units, nano-USD of money."""

    subject: Subject
    name: str
    unit: Unit
    kind: Window
    limit: int
    key: str

    @property
    def is_calendar(self) -> bool:
        """Whether the ledger knows what was used in it."""
        return self.kind not in ROLLING

    def amount(self, needs: Needs) -> int:
        """What a request counts here."""
        if self.unit == "requests":
            return 1
        return needs.tokens if self.unit == "tokens" else needs.nano_usd


class Capacity(NamedTuple):
    """What a deployment takes in a minute, and where that is counted; 0 is no limit."""

    request_key: str
    request_limit: int
    token_key: str
    token_limit: int


class Question(NamedTuple):
    """Whether a request may go on."""

    windows: tuple[LimitWindow, ...]
    capacities: tuple[Capacity, ...]
    needs: Needs

    def words(self) -> list[Word]:
        """The number of keys, the keys and the arguments of admit.lua."""
        words: list[Word] = [len(self.windows) + 2 * len(self.capacities)]
        words += [window.key for window in self.windows]
        for capacity in self.capacities:
            words += (capacity.request_key, capacity.token_key)
        words += (len(self.windows), self.needs.tokens)
        for window in self.windows:
            is_leased = window.unit != "requests"
            words += (window.kind, window.limit, window.amount(self.needs), 1 if is_leased else 0)
        for capacity in self.capacities:
            words += (capacity.request_limit, capacity.token_limit)
        return words


class Correction(NamedTuple):
    """What settle.lua does in one window; how and place: as it says there."""

    key: str
    how: str
    place: int
    reserved: int
    used: int
    born: int


def windows_of(limits: Sequence[tuple[Subject, Limits]]) -> tuple[LimitWindow, ...]:
    """A window for each limit that is set."""
    return tuple(
        LimitWindow(
            subject, name, unit, kind, limit, keys.limit_window(name, subject.kind, subject.model, subject.id)
        )
        for subject, several in limits
        for name, (unit, kind) in DIMENSIONS.items()
        if (limit := amount(several, name)) is not None
    )


class CallersWindows:
    """The windows of each caller and model, worked out once."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Caller, dict[str, tuple[LimitWindow, ...]]] = WeakKeyDictionary()

    def of(self, caller: Caller, model: str) -> tuple[LimitWindow, ...]:
        """All windows that a caller's request for a model counts in."""
        by_model = self._known.setdefault(caller, {})
        windows = by_model.get(model)
        if windows is None:
            windows = by_model[model] = windows_of(caller.limits_on(model))
        return windows


def capacities_of(candidates: Sequence[Deployment]) -> tuple[Capacity, ...]:
    """Those of the candidates up to the first without a limit; none if that is the very first."""
    found: list[Capacity] = []
    for deployment in candidates:
        capacity = deployment.capacity
        requests, tokens = capacity.requests_per_minute or 0, capacity.tokens_per_minute or 0
        unlimited = not requests and not tokens
        if unlimited and not found:
            break
        name = deployment.name
        found.append(Capacity(keys.deployment_requests(name), requests, keys.deployment_tokens(name), tokens))
        if unlimited:
            break
    return tuple(found)


def callers_corrections(reservation: CallerReservation, used: Needs | None) -> list[Correction]:
    """How to settle what a caller's request reserved; used None takes the request itself back, too."""
    corrections = []
    for window, born in reservation.windows:
        reserved = window.amount(reservation.needs)
        if window.unit == "requests":
            if used is None:
                corrections.append(_correction(window, reservation.second, reserved, 0, born))
        else:
            now_used = window.amount(used) if used is not None else 0
            corrections.append(_correction(window, reservation.second, reserved, now_used, born))
    return corrections


def capacity_corrections(
    reservation: Reservation, used_tokens: int, *, is_cancelled: bool
) -> list[Correction]:
    """How to settle what a request reserved of a deployment's capacity."""
    second, corrections = reservation.second, []
    if reservation.token_window is not None:
        corrections.append(
            Correction(reservation.token_window, "bucket", second, reservation.tokens, used_tokens, 0)
        )
    if is_cancelled and reservation.request_window is not None:
        corrections.append(Correction(reservation.request_window, "bucket", second, 1, 0, 0))
    return corrections


def _correction(window: LimitWindow, second: int, reserved: int, used: int, born: int) -> Correction:
    width = WIDTHS.get(window.kind)
    if width is not None:
        return Correction(window.key, "bucket", second // width, reserved, used, born)
    if window.unit == "requests":
        return Correction(window.key, "final", 0, reserved, used, born)
    return Correction(window.key, "lease", (second + LEASE_SECONDS) // 60, reserved, used, born)
