"""Faults on command: what goes wrong with the next calls."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Fault(BaseModel):
    """What goes wrong; of several faults, the first applies.

    status, body, headers: answered instead of the model's answer.
    slow_seconds: nothing is sent for so long.
    cut_after_events, garbage_after_events: the connection is reset, or what is sent is no event, after so
    many events; an answer that does not stream is cut, or is garbage, as a whole.
    error_after_events, stall_after_events: a stream goes on with an error event, or not at all.
    without_end_mark: leaves out [DONE].
    fragment_bytes: streams are sent in pieces of this size.
    seconds_between_events: what a stream's events take.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    times: Annotated[int | None, Field(ge=1, description="How many calls it hits; without it, all.")] = None
    status: int | None = None
    body: str = ""
    headers: dict[str, str] = {}
    slow_seconds: float = 0
    cut_after_events: int | None = None
    garbage_after_events: int | None = None
    error_after_events: int | None = None
    stall_after_events: int | None = None
    without_end_mark: bool = False
    seconds_between_events: float = 0
    fragment_bytes: Annotated[int | None, Field(ge=1)] = None


class ActiveFaults:
    """The faults in force, in the order they were set."""

    def __init__(self) -> None:
        self._active: list[tuple[Fault, int | None]] = []

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._active.append((fault, fault.times))

    def clear(self) -> None:
        """Lift all."""
        self._active.clear()

    def take(self) -> Fault:
        """The fault that hits this call, if only an empty one; one limited to calls is used up by them."""
        if not self._active:
            return Fault()
        fault, left = self._active[0]
        if left == 1:
            del self._active[0]
        elif left is not None:
            self._active[0] = (fault, left - 1)
        return fault
