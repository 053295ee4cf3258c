"""Checks this machine before anything is started: every problem at once, each with its fix."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil

from local.errors import PreconditionError
from local.options import PORT_VARIABLES, ROOT, Options
from local.postgres import server_problems
from local.processes import recorded_process
from local.state import existing, own_record, state_problems

_NODE_MAJOR = 22
_FREE_GIB = 2
_GIB = 2**30


def check(options: Options) -> None:
    """Raise PreconditionError with one line per problem, or return."""
    if problems := list(_problems(options)):
        raise PreconditionError("\n".join(problems))


def _problems(options: Options) -> Iterator[str]:
    if (running := recorded_process(own_record(options))) is not None:
        yield f"already up as process {running.pid}, see {options.url('gateway')}; stop it with: make down"
        return
    if leftovers := [path.stem for path in options.run.glob("*.json") if recorded_process(path)]:
        names = ", ".join(sorted(leftovers))
        yield f"an earlier run crashed and left {names} running; stop that with: make down"
        return
    yield from node_problems(os.environ.get("PATH", ""))
    if not (ROOT / "node_modules/.bin/cdk").exists():
        yield "node_modules/.bin/cdk: the AWS CDK CLI is not installed; run: make install"
    yield from state_problems(options)
    yield from disk_problems(existing(options.state), _FREE_GIB * _GIB)
    yield from server_problems(options)
    for name, number in options.ports.items():
        yield from port_problems(PORT_VARIABLES[name][0], number)


def node_problems(search_path: str) -> Iterator[str]:
    """What is wrong with the Node.js that this search path finds."""
    node = shutil.which("node", path=search_path)
    if node is None:
        yield f"Node.js {_NODE_MAJOR} or newer is not installed, the CDK needs it; run: make install"
        return
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = version.removeprefix("v").split(".")[0]
    if not major.isdecimal() or int(major) < _NODE_MAJOR:
        found = f"{node} is {version or 'broken'}, the CDK needs Node.js {_NODE_MAJOR} or newer"
        yield f"{found}; install one, or remove .venv and run: make install"


def disk_problems(folder: Path, needed_bytes: int) -> Iterator[str]:
    """Whether there is room below a folder."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        have, need = f"{free / _GIB:.1f} GiB", f"{needed_bytes / _GIB:.1f} GiB"
        yield f"{folder} has {have} free, {need} are needed; free some space"


def port_problems(variable: str, number: int) -> Iterator[str]:
    """Whether a port of 127.0.0.1 is free, and who has it if that can be known."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no obstacle
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            other = f"{variable}={number + 1} make up"
            yield f"port {number} is taken{_holder(number)}; stop that, or choose another port: {other}"


def _holder(port: int) -> str:
    """` by NAME (process ID)`, or nothing: other users' processes are hidden from all but root."""
    try:
        listening = (c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
        owner = next((c.pid for c in listening if c.pid and c.laddr and c.laddr[1] == port), None)
        return f" by {psutil.Process(owner).name()} (process {owner})" if owner else ""
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return ""
