"""A client of the simulator's control API, for tests and benchmarks; it blocks, and any thread may use it."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

from local.bedrock_simulator.call_log import Call
from local.bedrock_simulator.faults import Fault
from local.bedrock_simulator.replies import Reply
from local.bedrock_simulator.scenario import Quota

_TIMEOUT_SECONDS = 10


class ControlError(RuntimeError):
    """The simulator refused a control request; the message is its reason."""


class Control:
    """The control API of the simulator at `url`, for instance http://127.0.0.1:9999.

    Every method raises ControlError for what the simulator refuses and OSError if it is not there.
    """

    def __init__(self, url: str) -> None:
        self._base = f"{url}/_simulator"

    def state(self) -> dict[str, Any]:
        """Models, quotas and their use, faults in force, and the clock."""
        state: dict[str, Any] = self._send("GET", "/state")
        return state

    def calls(self, after: int = 0) -> list[Call]:
        """The calls after this number, oldest first."""
        return [Call(**call) for call in self._send("GET", f"/calls?after={after}")]

    def add_fault(self, fault: Fault) -> int:
        """Put a fault in force; returns the number to clear it by."""
        number: int = self._send("POST", "/faults", fault.model_dump(exclude_none=True))["number"]
        return number

    def clear_faults(self, number: int | None = None) -> None:
        """Lift one fault, or all."""
        self._send("DELETE", "/faults" if number is None else f"/faults/{number}")

    def add_reply(self, reply: Reply) -> None:
        """Answer matching calls with this instead of an echo."""
        self._send("POST", "/replies", reply.model_dump(exclude_none=True))

    def clear_replies(self) -> None:
        """Let models echo again."""
        self._send("DELETE", "/replies")

    def set_quotas(self, quotas: Iterable[Quota]) -> None:
        """Put these quotas in place of all; nothing counts as used yet."""
        self._send("PUT", "/quotas", [quota.model_dump(exclude_none=True) for quota in quotas])

    def advance_clock(self, seconds: float) -> None:
        """Let this much time pass for quotas."""
        self._send("POST", "/clock", {"seconds": seconds})

    def record_bodies(self, *, on: bool) -> None:
        """Keep the bodies of requests in the call log from now on, or stop."""
        self._send("PUT", "/recording", {"bodies": on})

    def reset(self) -> None:
        """Begin the scenario again."""
        self._send("POST", "/reset")

    def _send(self, method: str, path: str, body: Mapping[str, Any] | list[Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, method=method)  # noqa: S310 (always http)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 (as above)
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise ControlError(json.load(error)["error"]) from None
