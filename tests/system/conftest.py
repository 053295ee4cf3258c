import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.options import PORT_VARIABLES, ROOT, STATE_VARIABLE, Options, read_options
from local.state import make_state
from local.synthesis import accept


def _free_ports(count: int) -> list[int]:
    """Ports that are free now, all different."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="session")
def free_ports() -> Callable[[int], list[int]]:
    return _free_ports


@pytest.fixture(scope="session")
def environ() -> Iterator[dict[str, str]]:
    """The caller's environment of a platform of its own: a running `make up` is not touched."""
    # Not below pytest's own folder: that is closed to the user that PostgreSQL runs as when root tests.
    state = Path(tempfile.mkdtemp(prefix="gatehouse-"))
    variables = [variable for variable, _ in PORT_VARIABLES.values()]
    ports = {
        variable: str(port) for variable, port in zip(variables, _free_ports(len(variables)), strict=True)
    }
    yield {**os.environ, **ports, STATE_VARIABLE: str(state)}
    shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="session")
def provide_assembly(synthesized: Callable[[str], Path]) -> Callable[[Options], None]:
    """Put the environment's assembly where a platform would synthesize it: then it does not."""

    def provide(options: Options) -> None:
        shutil.copytree(synthesized(options.environment), options.assembly)
        make_state(options)
        accept(options)

    return provide


@pytest.fixture(scope="session")
def options(environ: dict[str, str]) -> Options:
    return read_options(environ)


@pytest.fixture(scope="session")
def local_command(environ: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `python -m local` with these arguments to its end."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "local", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def start_up(environ: dict[str, str], options: Options) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Start `python -m local up --json`; whatever a failed test leaves behind is stopped at the end."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        log = options.state.with_suffix(".up.log").open("w")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "local", "up", "--json"],
                cwd=ROOT,
                env=environ,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    subprocess.run([sys.executable, "-m", "local", "down"], cwd=ROOT, env=environ, check=False)
    options.state.with_suffix(".up.log").unlink(missing_ok=True)
