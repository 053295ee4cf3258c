"""Start the endpoint as a process of its own, and steer it."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from local.model_endpoint.faults import Fault

READY = "model endpoint ready on "
_SECONDS = 5


class EndpointStartError(RuntimeError):
    """The endpoint ended before it was ready; its own message is on standard error."""


@dataclass(frozen=True)
class RunningEndpoint:
    """An endpoint to call at `url`; it blocks while it is steered."""

    url: str

    def calls(self) -> list[dict[str, Any]]:
        """The calls so far, oldest first."""
        calls: list[dict[str, Any]] = self._send("GET", "")["calls"]
        return calls

    def secret_reads(self) -> int:
        """How often a secret was asked for."""
        count: int = self._send("GET", "")["secret_reads"]
        return count

    def accept_keys(self, *keys: str) -> None:
        """Accept these API keys and no others."""
        self._send("PUT", "/keys", list(keys))

    def hold_secrets(self, **secrets: str) -> None:
        """Let Secrets Manager hold these and no others."""
        self._send("PUT", "/secrets", secrets)

    def add_fault(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._send("POST", "/faults", fault.model_dump())

    def clear_faults(self) -> None:
        """Lift all faults."""
        self._send("DELETE", "/faults")

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_endpoint{path}", data, method=method)  # noqa: S310 (http)
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310 (always http)
            return json.load(response)


@contextmanager
def start(*, port: int = 0) -> Iterator[RunningEndpoint]:
    """Run an endpoint while the context lasts; port 0 takes any free one. Raises EndpointStartError."""
    command = [sys.executable, "-m", "local.model_endpoint", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 (tells mypy what PIPE means)
            line = process.stdout.readline()
            if not line.startswith(READY):
                raise EndpointStartError(f"the model endpoint ended with code {process.wait()}")
            yield RunningEndpoint(line.removeprefix(READY).strip())
        finally:
            process.terminate()
            try:
                process.wait(_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
