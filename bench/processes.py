"""Start the programs of a measurement pinned to one core each, and read what they cost from /proc."""

import contextlib
import http.client
import os
import random
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
# Other gateways, outside the repository: they are large, and nothing of ours needs them.
PEERS_FOLDER = Path.home() / ".cache" / "gatehouse-bench"
_ALL_CORES = f"0-{(os.cpu_count() or 1) - 1}"
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 20
_STOP_SECONDS = 10


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nothing listens on.

    They are below those that outgoing connections take, of which every second is one soon.
    """
    for first in range(random.randrange(10_000, 30_000), 32_000, count):
        with contextlib.ExitStack() as listeners:
            try:
                for port in range(first, first + count):
                    listeners.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return first
    raise RuntimeError(f"there are no {count} free ports in a row below 32,000")


@contextmanager
def running(
    command: Sequence[str],
    *,
    core: int | None,
    environment: Mapping[str, str] | None = None,
    inherit: bool = True,
    quiet: bool = False,
    errors: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program pinned to a core (None: on all), ended with SIGTERM and, when that does not help, SIGKILL.

    `inherit` passes this process's own environment on, `quiet` throws standard output away, `errors` is the
    file for what is written to standard error.
    """
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY)} if inherit else {}
    with Path(errors or os.devnull).open("wb") as error_file:
        # A session of its own: a server's worker processes end with it even when it is killed.
        process = subprocess.Popen(
            ["taskset", "-c", _ALL_CORES if core is None else str(core), *command],
            env={**variables, **(environment or {})},
            start_new_session=True,
            stdout=subprocess.DEVNULL if quiet else None,
            stderr=error_file if errors else None,
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
    return sum(cpu_seconds_each(process).values())


def cpu_seconds_each(process: subprocess.Popen[bytes]) -> dict[int, float]:
    """User and system time so far of a process and of each living descendant, by process ID."""
    return {pid: _cpu_ticks(pid) / _TICKS_PER_SECOND for pid in _tree(process.pid)}


def memory_mb(process: subprocess.Popen[bytes]) -> float:
    """Proportional set size in MB of a process and its descendants: pages they share count once."""
    return sum(_proportional_kib(pid) for pid in _tree(process.pid)) * 1024 / 1e6


def _tree(pid: int) -> list[int]:
    # Any thread may have started children.
    children = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")).split()
    return [pid, *(descendant for child in children for descendant in _tree(int(child)))]


def _cpu_ticks(pid: int) -> int:
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(after_name[11]) + int(after_name[12])


def _proportional_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
