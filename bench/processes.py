"""Start the programs of a measurement pinned to one core each, and read what they cost from /proc."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
CANDIDATE_CORE = 0
LOAD_CORE = 1
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 20
_STOP_SECONDS = 10


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str], *, core: int, environment: Mapping[str, str] | None = None, quiet: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """A program pinned to a core, ended with SIGTERM and, when that does not help, SIGKILL.

    `quiet` throws its standard output away.
    """
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY), **(environment or {})}
    # A session of its own: a server's worker processes end with it even when it is killed.
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        env=variables,
        start_new_session=True,
        stdout=subprocess.DEVNULL if quiet else None,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    """Return once the port accepts connections; RuntimeError when the process ends or takes too long."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.005)
    raise RuntimeError(f"{process.args!r} does not listen on port {port} (exit code {process.returncode})")


def wait_until_healthy(process: subprocess.Popen[bytes], port: int) -> None:
    """Return once GET /health answers 200: a server may listen before its application is ready."""
    wait_until_listening(process, port)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_SECONDS)
    connection.request("GET", "/health")
    status = connection.getresponse().status
    connection.close()
    if status != 200:
        raise RuntimeError(f"{process.args!r} answered /health with {status}")


def pin(core: int) -> None:
    """Keep this process, and those it starts from now on, on one core."""
    os.sched_setaffinity(0, {core})


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """User and system time so far of a process and its living descendants."""
    return sum(_cpu_ticks(pid) for pid in _tree(process.pid)) / _TICKS_PER_SECOND


def memory_mb(process: subprocess.Popen[bytes]) -> float:
    """Proportional set size in MB of a process and its descendants: pages they share count once."""
    return sum(_proportional_kib(pid) for pid in _tree(process.pid)) * 1024 / 1e6


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(descendant for child in children for descendant in _tree(int(child)))]


def _cpu_ticks(pid: int) -> int:
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(after_name[11]) + int(after_name[12])


def _proportional_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
