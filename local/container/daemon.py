"""A Docker daemon of our own, for machines on which none runs. Needs root, and apt-get of Debian."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.container.docker import Docker
from local.errors import LocalError

# Debian's own command line tool and daemon: they fit each other.
_DOCKER = Path("/usr/bin/docker")
_PACKAGES = {"dockerd": "docker.io", "mmdebstrap": "mmdebstrap"}
_START_SECONDS = 60
_STOP_SECONDS = 30


class DaemonError(LocalError):
    """The daemon cannot be installed or started; the message says why."""


def install() -> None:
    """Install the daemon and mmdebstrap by apt-get where they are missing. Raises DaemonError."""
    if os.geteuid() != 0:
        raise DaemonError("a Docker daemon of our own needs root; start Docker, or run this as root")
    missing = [package for program, package in _PACKAGES.items() if shutil.which(program) is None]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise DaemonError(
            f"{' and '.join(missing)} must be installed, and this machine has no apt-get to do it"
        )
    with _no_service_starts():
        for command in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
            result = subprocess.run(
                ["apt-get", "--quiet", *command],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                text=True,
                check=False,
            )
            if result.returncode != 0:
                raise DaemonError(f"apt-get {' '.join(command)} failed:\n{result.stderr.strip()}")


@contextmanager
def own_daemon() -> Iterator[Docker]:
    """Run a daemon while the context lasts; its images and containers end with it. Raises DaemonError."""
    install()
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-docker-"))
    docker = Docker(str(_DOCKER), {"DOCKER_HOST": f"unix://{folder}/docker.sock"})
    log = folder / "dockerd.log"
    with log.open("wb") as output:
        # A session of its own: Ctrl-C must not end it before its containers are removed.
        process = subprocess.Popen(
            _command(folder), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait_until_ready(docker, process, log)
        yield docker
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _remove(folder)


def _command(folder: Path) -> list[str]:
    return [
        "dockerd",
        f"--host=unix://{folder}/docker.sock",
        f"--data-root={folder}/data",
        f"--exec-root={folder}/exec",
        f"--pidfile={folder}/pid",
        # Containers use the host's network: this daemon changes no firewall rule and no interface.
        "--iptables=false",
        "--ip6tables=false",
        "--bridge=none",
        # Root in a container may itself not be allowed to raise limits.
        "--default-ulimit=nofile=1024:1024",
    ]


def _wait_until_ready(docker: Docker, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while docker.attempt("info").returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(errors="replace").splitlines()[-15:]
            raise DaemonError("dockerd does not start here; the end of its log:\n" + "\n".join(lines))
        time.sleep(0.2)


def _remove(folder: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if Path(m).is_relative_to(folder)), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=True)
    shutil.rmtree(folder)


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Keep packages from starting their services, as Debian's policy-rc.d does; an existing one stays."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()
