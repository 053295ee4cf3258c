"""What was called: one record per call, never with the prompt unless recording is switched on."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

_KEPT = 20_000


@dataclass(eq=False)
class Call:
    """One call; times are in seconds. What is not known, or did not happen, is None."""

    number: int
    request_id: str
    operation: str
    model: str
    received_at: float
    outcome: Literal["running", "answered", "refused", "faulted", "client_left"] = "running"
    status: int | None = None
    error: str | None = None
    account: str | None = None
    access_key: str | None = None
    authentication: Literal["signature", "bearer"] | None = None
    principal: str | None = None
    session_tags: dict[str, str] = field(default_factory=dict)
    region: str | None = None
    served_by: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    reserved_tokens: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float | None = None
    body: Any = None


class CallLog:
    """The most recent calls, oldest first."""

    def __init__(self) -> None:
        self.record_bodies = False
        self._calls: deque[Call] = deque(maxlen=_KEPT)
        self._count = 0

    def start(self, request_id: str, operation: str, model: str, received_at: float) -> Call:
        """A new record, numbered from one."""
        self._count += 1
        call = Call(self._count, request_id, operation, model, received_at)
        self._calls.append(call)
        return call

    def since(self, number: int) -> list[Call]:
        """The calls after this number."""
        return [call for call in self._calls if call.number > number]
