"""What the endpoint knows: who may call, what goes wrong, what was called."""

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from local.model_endpoint.faults import ActiveFaults

_KEPT = 10_000


@dataclass(eq=False)
class Call:
    """One call; headers have lower-case names and hold no key, outcome is what became of the answer."""

    number: int
    path: str
    headers: dict[str, str]
    body: Any = None
    status: int | None = None
    outcome: str = "running"


@dataclass(eq=False)
class Endpoint:
    """The state of one endpoint; `keys` are the API keys it accepts, `secrets` what Secrets Manager holds."""

    keys: set[str] = field(default_factory=set)
    secrets: dict[str, str] = field(default_factory=dict)
    faults: ActiveFaults = field(default_factory=ActiveFaults)
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=_KEPT))
    secret_reads: int = 0
    _count: int = 0

    def start(self, path: str, headers: dict[str, str]) -> Call:
        """A new record of a call, numbered from one."""
        self._count += 1
        call = Call(self._count, path, headers)
        self.calls.append(call)
        return call

    def described(self) -> dict[str, Any]:
        """Everything but the keys, as JSON."""
        return {"calls": [asdict(call) for call in self.calls], "secret_reads": self.secret_reads}
