"""Gateway processes that share a cache, to try, break and measure them on one machine."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from gateway.migrations.upgrade import upgrade
from gateway.settings import variable
from local.throwaway_servers import (
    CACHE_PASSWORD,
    DATABASE,
    DATABASE_OWNER,
    DATABASE_PASSWORD,
    Postgres,
    Valkey,
    free_port,
    throwaway_postgres,
    wait_until_ready,
)


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
        wait_until_ready(self.process, self._is_ready, self.output)

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
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


@dataclass
class Fleet:
    """What runs."""

    gateways: list[GatewayProcess]
    valkey: Valkey
    catalog: Path
    postgres: Postgres | None


@contextmanager
def fleet(
    *,
    catalog: Mapping[str, Any],
    api_keys: Mapping[str, Any],
    settings: Mapping[str, str],
    environ: Mapping[str, str],
    gateways: int = 2,
    database: bool = False,
) -> Iterator[Fleet]:
    """Run gateways and their cache while the context lasts, with a database only if that is asked for.

    `settings` are fields of gateway.settings beyond the addresses of cache and database, `environ` further
    variables such as credentials. Raises ServerError.
    """
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        document = folder / "models.json"
        document.write_text(json.dumps(catalog))
        valkey = Valkey(free_port(), folder)
        stack.callback(valkey.kill)
        valkey.start()
        postgres = _migrated(stack.enter_context(throwaway_postgres())) if database else None
        shared = _settings(document, api_keys, valkey.port, postgres) | dict(settings)
        variables = {variable(field_name): value for field_name, value in shared.items()} | dict(environ)
        processes = [_gateway(folder, number, variables) for number in range(1, gateways + 1)]
        for process in processes:
            stack.callback(process.stop, signal.SIGKILL)
        with ThreadPoolExecutor(gateways) as pool:
            for started in [pool.submit(process.start) for process in processes]:
                started.result()
        yield Fleet(processes, valkey, document, postgres)


def _migrated(postgres: Postgres) -> Postgres:
    asyncio.run(upgrade(lambda: asyncpg.connect(postgres.dsn)))
    return postgres


def _settings(
    document: Path, api_keys: Mapping[str, Any], cache_port: int, postgres: Postgres | None
) -> dict[str, str]:
    return {
        "environment": "fleet",
        "region": "us-east-1",
        "models_source": document.as_uri(),
        "api_keys": json.dumps(api_keys),
        "cache_host": "127.0.0.1",
        "cache_port": str(cache_port),
        "cache_tls": "false",
        "cache_username": "gateway",
        "cache_password": CACHE_PASSWORD,
        "database_host": "127.0.0.1",
        # Nothing listens on the first port.
        "database_port": str(postgres.port if postgres else 1),
        "database_tls": "false",
        "database_name": DATABASE,
        "database_username": DATABASE_OWNER,
        "database_password": DATABASE_PASSWORD,
        "key_hashing_secret": "hashing-secret-of-a-fleet-0123456789",
        "host": "127.0.0.1",
    }


def _gateway(folder: Path, number: int, variables: Mapping[str, str]) -> GatewayProcess:
    port = free_port()
    own = {variable("port"): str(port), variable("metrics_port"): str(free_port())}
    return GatewayProcess(port, folder / f"gateway-{number}.log", {**variables, **own})


def urls(gateways: Sequence[GatewayProcess]) -> list[str]:
    """The addresses of gateways."""
    return [gateway.url for gateway in gateways]
