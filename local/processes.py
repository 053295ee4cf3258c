"""Child processes: started in sessions of their own, written down, stopped in reverse order, never mistaken.

Each one leaves a file in the run folder with its process ID and start time, so that `down` can stop what a
crashed `up` left behind without ever touching a stranger that got the same process ID.
"""

import contextlib
import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.errors import LocalError
from local.options import Options

_STOP_SECONDS = 10
_SAME_START_SECONDS = (
    1.0  # a clock that is set moves what the system reports; no process ID comes back this soon
)


@dataclass(frozen=True, kw_only=True)
class Child:
    """A running process of the platform."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    record: Path
    stop_signal: signal.Signals


class Children:
    """The processes of one platform; leaving the context stops them, last started first."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._children: list[Child] = []

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *_exception: object) -> None:
        for child in reversed(self._children):
            if child.process.poll() is None:
                _stop(psutil.Process(child.process.pid), child.stop_signal)
                child.process.wait()
            child.record.unlink(missing_ok=True)

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        environ: Mapping[str, str],
        *,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Child:
        """Start a process that logs to logs/<name>.log and sees no variable but these; `user` is for root."""
        log = self._options.logs / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                env=dict(environ),
                cwd=self._options.state,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=primary_group(user),
                extra_groups=[] if user else None,
            )
        child = Child(
            name=name,
            process=process,
            log=log,
            record=self._options.run / f"{name}.json",
            stop_signal=stop_signal,
        )
        self._children.append(child)
        record(child.record, process.pid, stop_signal)
        return child

    def dead(self) -> Child | None:
        """The first child that has ended by itself, if any."""
        return next((child for child in self._children if child.process.poll() is not None), None)


def wait_until(child: Child, ready: Callable[[], bool], seconds: float) -> None:
    """Wait for a child. Raises LocalError, with the end of its log, if it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while not ready():
        if child.process.poll() is not None:
            raise LocalError(death_notice(child))
        if time.monotonic() > deadline:
            raise LocalError(f"{child.name} is not ready after {seconds:g} s; {_log_end(child.log)}")
        time.sleep(0.05)


def death_notice(child: Child) -> str:
    """Which child ended, how, and the end of its log."""
    return f"{child.name} ended with exit code {child.process.returncode}; {_log_end(child.log)}"


def _log_end(log: Path, lines: int = 15) -> str:
    text = log.read_text(errors="replace").splitlines()[-lines:]
    return f"{log}:\n" + "\n".join(f"  {line}" for line in text)


def record(path: Path, pid: int, stop_signal: signal.Signals) -> None:
    """Write down a running process, so that another command can stop it."""
    started = psutil.Process(pid).create_time()
    path.write_text(json.dumps({"pid": pid, "started": started, "stop_signal": stop_signal.name}))


def recorded_process(path: Path) -> psutil.Process | None:
    """The process of a record; None if it ended, even if its process ID is somebody else's now."""
    try:
        written = json.loads(path.read_text())
        process = psutil.Process(written["pid"])
        same = abs(process.create_time() - written["started"]) < _SAME_START_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, json.JSONDecodeError, psutil.NoSuchProcess):
        return None


def stop_recorded(path: Path) -> bool:
    """Stop a record's process with all it started, and remove the record; whether it was running."""
    process = recorded_process(path)
    if process is not None:
        _stop(process, signal.Signals[json.loads(path.read_text())["stop_signal"]])
    path.unlink(missing_ok=True)
    return process is not None


def _stop(process: psutil.Process, stop_signal: signal.Signals) -> None:
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):  # it may end on its own meanwhile
        family = [process, *process.children(recursive=True)]
        process.send_signal(stop_signal)
    _wait_for_end([process])
    for member in filter(runs, family):  # what it did not stop itself
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    _wait_for_end(family)


def _wait_for_end(processes: list[psutil.Process]) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while any(runs(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)


def runs(process: psutil.Process) -> bool:
    """Whether a process runs; one that ended but was not waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def primary_group(user: str | None) -> int | None:
    """The group that goes with a user whom root lets a process run as; None for no user."""
    return pwd.getpwnam(user).pw_gid if user else None


def basic_environment() -> dict[str, str]:
    """The only variables of the caller that a child sees."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
