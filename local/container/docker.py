"""The docker command, against one daemon."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.errors import LocalError


class DockerError(LocalError):
    """A docker command failed; the message holds the command and what it printed."""


@dataclass(frozen=True)
class Docker:
    """A docker command line tool and the daemon that it talks to."""

    program: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, timeout_seconds: float = 120) -> str:
        """Run a docker command and return its output. Raises DockerError."""
        result = self.attempt(*arguments, timeout_seconds=timeout_seconds)
        if result.returncode != 0:
            raise DockerError(f"docker {' '.join(arguments)} failed:\n{result.stderr.strip()}")
        return result.stdout.strip()

    def attempt(self, *arguments: str, timeout_seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a docker command that may fail."""
        return subprocess.run(
            [self.program, *arguments],
            env={**os.environ, "DOCKER_BUILDKIT": "1", **self.environment},
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )


def running_docker() -> Docker | None:
    """This machine's own Docker, or None where no daemon answers."""
    program = shutil.which("docker")
    if program is None:
        return None
    docker = Docker(program)
    return docker if docker.attempt("info").returncode == 0 else None
