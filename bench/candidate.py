"""What is measured: a gateway that forwards chat completions, how it is installed, started and reached."""

import http.client
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import Popen

from bench.load import Target
from bench.mock_answers import TEXT
from bench.processes import CANDIDATE_CORE, running

_START_SECONDS = 90
_ANSWER_SECONDS = 10


class UnavailableError(Exception):
    """A candidate cannot be installed, started or measured; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What every candidate finds.

    upstream_url: an OpenAI-compatible API, without /chat/completions; bedrock_url: Bedrock's Converse.
    cache_port, cache_password: Valkey on 127.0.0.1, user "default". database_port: PostgreSQL there, with
    our schema.
    installed: the folder with the peers' environments; scratch: an empty folder.
    """

    upstream_url: str
    bedrock_url: str
    cache_port: int
    cache_password: str
    database_port: int
    installed: Path
    scratch: Path


@dataclass(frozen=True, kw_only=True)
class Program:
    """A candidate's process; port_file is where it writes its port if it chooses that itself."""

    command: Sequence[str]
    target: Target
    environment: Mapping[str, str] = field(default_factory=dict)
    port_file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One line of the table.

    duties: what it does with a request besides forwarding it. install: into a folder, unless it is there;
    returns the version; raises UnavailableError. uses_cache: whether a request must reach Valkey.
    """

    name: str
    duties: str
    install: Callable[[Path], str]
    program: Callable[[Surroundings], Program]
    uses_cache: bool = False


@dataclass(frozen=True)
class Running:
    """A candidate that has answered its first request."""

    process: Popen[bytes]
    target: Target
    ready_seconds: float


@contextmanager
def started(
    candidate: Candidate, surroundings: Surroundings, *, core: int | None = CANDIDATE_CORE
) -> Iterator[Running]:
    """Start a candidate and wait until it answers a chat completion; raises UnavailableError."""
    program = candidate.program(surroundings)
    errors = surroundings.scratch / "stderr"
    began = time.monotonic()
    with running(
        program.command, core=core, environment=program.environment, inherit=False, quiet=True, errors=errors
    ) as process:
        target = _answering(process, program)
        if target is None:
            said = errors.read_text(errors="replace").strip().splitlines()[-3:]
            raise UnavailableError(
                f"gave no answer within {_START_SECONDS} s (exit status {process.poll()}): {' '.join(said)}"
            )
        yield Running(process, target, time.monotonic() - began)


def _answering(process: Popen[bytes], program: Program) -> Target | None:
    target = program.target
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if program.port_file is not None and program.port_file.exists():
            target = replace(target, port=int(program.port_file.read_text()))
        if target.port and _answers(target):
            return target
        time.sleep(0.005)
    return None


def _answers(target: Target) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=_ANSWER_SECONDS)
    headers = {"content-type": "application/json", **target.headers}
    try:
        connection.request("POST", target.path, target.body(stream=False), headers)
        response = connection.getresponse()
        return TEXT.encode() in response.read() and response.status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
