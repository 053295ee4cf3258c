"""A project with a key of its own, made as an owner makes it, and what the key is then charged with."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.errors import LocalError
from local.options import ROOT
from local.processes import basic_environment
from local.ready import get

PROJECT = "try-out"
_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class FirstKey:
    """What was made, and the command lines that made it, for the environment variables they need."""

    key: str = field(repr=False)
    commands: list[str]


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What the ledger holds of a key."""

    requests: int
    input_tokens: int
    output_tokens: int
    usd: float


def make_key(url: str, admin_key: str) -> FirstKey:
    """Make a key in the project, and the project unless the last run did. Raises LocalError."""
    variables = {"GATEHOUSE_ENDPOINT": url, "GATEHOUSE_KEY": admin_key}
    commands = [["projects", "create", PROJECT], ["keys", "create", "first", "--project", PROJECT]]
    projects = json.loads(_gatehouse(["--json", "projects", "list"], variables))
    if PROJECT not in {project["name"] for project in projects}:
        _gatehouse(commands[0], variables)
    key = _gatehouse([*commands[1], "--quiet"], variables).strip()
    return FirstKey(key=key, commands=[" ".join(["gatehouse", *words]) for words in commands])


def usage_of(url: str, key: str, *, requests: int) -> Usage:
    """What the key has used, once the ledger holds so many requests. Raises LocalError if it never does."""
    deadline = time.monotonic() + _SECONDS
    while True:
        body = get(f"{url}/v1/usage", {"Authorization": f"Bearer {key}"})
        rows = json.loads(body)["data"] if body is not None else []
        if sum(row["requests"] for row in rows) >= requests:
            break
        if time.monotonic() > deadline:
            raise LocalError(
                f"of {requests} requests the ledger holds after {_SECONDS} s: {rows or 'nothing'}"
            )
        time.sleep(0.1)
    return Usage(
        requests=sum(row["requests"] for row in rows),
        input_tokens=sum(row["input_tokens"] for row in rows),
        output_tokens=sum(row["output_tokens"] for row in rows),
        usd=sum(row["cost_usd"] for row in rows),
    )


def _gatehouse(words: list[str], variables: Mapping[str, str]) -> str:
    """Run the gatehouse command; its output. Raises LocalError."""
    done = subprocess.run(
        [sys.executable, "-m", "operations", *words],
        cwd=ROOT,
        env={**basic_environment(), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LocalError(f"gatehouse {' '.join(words)} failed ({done.returncode}): {done.stderr.strip()}")
    return done.stdout
