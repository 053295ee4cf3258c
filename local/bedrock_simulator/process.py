"""Start the simulator as a process of its own, for tests and benchmarks."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.bedrock_simulator.control import Control

READY = "Bedrock simulator ready on "
_STOP_SECONDS = 5


class SimulatorStartError(RuntimeError):
    """The simulator ended before it was ready; its own message is on standard error."""


@dataclass(frozen=True)
class RunningSimulator:
    """A simulator to call at `url`, as an endpoint_url of boto3, and to steer by `control`."""

    url: str
    control: Control
    pid: int


@contextmanager
def start(scenario: str = "", *, port: int = 0, validate: bool = True) -> Iterator[RunningSimulator]:
    """Run a simulator while the context lasts.

    `scenario` is the YAML text of a scenario file, port 0 takes any free one. Raises SimulatorStartError
    for a bad scenario or a busy port.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "local.bedrock_simulator", "--port", str(port)]
        if scenario:
            file = Path(folder, "scenario.yaml")
            file.write_text(scenario)
            command += ["--scenario", str(file)]
        if not validate:
            command.append("--no-validation")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield _wait_until_ready(process)
            finally:
                _stop(process)


def _wait_until_ready(process: subprocess.Popen[str]) -> RunningSimulator:
    assert process.stdout is not None  # noqa: S101 (tells mypy what PIPE means)
    line = process.stdout.readline()
    if not line.startswith(READY):
        raise SimulatorStartError(
            f"the simulator did not start (exit code {process.wait()}); see its message above"
        )
    url = line.removeprefix(READY).strip()
    return RunningSimulator(url, Control(url), process.pid)


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
