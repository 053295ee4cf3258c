"""What admit.lua replies, and what it means for the caller."""

from typing import NamedTuple

from gateway.admission.outcome import Allowance, Allowances
from gateway.admission.windows import LimitWindow
from gateway.limits import Unit

# Outcomes beside the number of the deployment that takes the request.
NO_ROOM, REFUSED, UNKNOWN, CALLER_ALONE = 0, -1, -2, -3
# Instead of the seconds until there is room in a window.
WAIT_NEVER, WAIT_UNKNOWN = -1, -2


class WindowState(NamedTuple):
    """One of the caller's windows, when the question has been decided; admit.lua says what each number is."""

    used: int
    reset: int
    wait: int
    due: int
    born: int

    @property
    def refuses(self) -> bool:
        """Whether the request does not fit."""
        return self.wait > 0 or self.wait == WAIT_NEVER


class Reply(NamedTuple):
    """states: of the caller's windows, in the order of the question. local: decided by this process alone."""

    outcome: int
    seconds: int
    second: int
    states: tuple[WindowState, ...]
    local: bool


def read_reply(numbers: list[int]) -> Reply:
    """The reply of admit.lua."""
    states = tuple(WindowState(*numbers[i : i + 5]) for i in range(3, len(numbers), 5))
    return Reply(numbers[0], numbers[1], numbers[2], states, False)


def allowances(windows: tuple[LimitWindow, ...], states: tuple[WindowState, ...]) -> Allowances:
    """For requests and for tokens, the limit of which the smallest part is left."""
    return Allowances(_least(windows, states, "requests"), _least(windows, states, "tokens"))


def _least(windows: tuple[LimitWindow, ...], states: tuple[WindowState, ...], unit: Unit) -> Allowance | None:
    least, least_part = None, 0.0
    for window, state in zip(windows, states, strict=True):
        if window.unit != unit:
            continue
        remaining = max(window.limit - state.used, 0)
        part = remaining / window.limit
        if least is None or part < least_part:
            least, least_part = Allowance(window.limit, remaining, max(state.reset, 0)), part
    return least
