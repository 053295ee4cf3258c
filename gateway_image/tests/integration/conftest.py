"""A real gateway process in front of the Bedrock simulator."""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from gateway.settings import variable
from local.bedrock_simulator import process as simulator_process
from local.bedrock_simulator.process import RunningSimulator

KEY = "key-of-the-test-suite-0123456789abcdef"
CATALOG = {
    "models": [
        {
            "name": name,
            "max_output_tokens": 20_000,
            # So that tests see what one deployment does; tests/resilience has many.
            "max_attempts": 1,
            "deployments": [
                {
                    "name": f"{name}-us",
                    "provider": "bedrock",
                    "region": "us-east-1",
                    "model_id": f"us.{model_id}",
                    "time_limits": {
                        "connect_seconds": 1,
                        "first_byte_seconds": first_byte_seconds,
                        "whole_answer_seconds": first_byte_seconds,
                        "between_chunks_seconds": 1,
                    },
                }
            ],
        }
        for name, model_id, first_byte_seconds in (
            ("claude", "anthropic.claude-haiku-4-5-20251001-v1:0", 10),
            ("fast", "anthropic.claude-sonnet-4-6", 4),
        )
    ]
}
# The first model is slow enough, at 100 words a second, to do something while it answers.
SCENARIO = """
models:
  - id: anthropic.claude-haiku-4-5-20251001-v1:0
    family: anthropic
    regions: [us-east-1]
    profiles: [us]
    max_output_tokens: 64000
    timing: {tokens_per_second: 100}
  - id: anthropic.claude-sonnet-4-6
    family: anthropic
    regions: [us-east-1]
    profiles: [us]
    max_output_tokens: 64000
accounts:
  - id: "111111111111"
    access_keys: {AKIDTEST: secret-of-the-test-suite}
unknown_access_keys: reject
"""


@cache
def authorities() -> ssl.SSLContext:
    """What clients trust: reading it takes longer than most tests."""
    return ssl.create_default_context()


@dataclass
class Gateway:
    """A running gateway process."""

    url: str
    process: subprocess.Popen[bytes]
    output: Path
    metrics_url: str
    key: str = KEY

    def client(self, **options: Any) -> openai.OpenAI:
        """OpenAI's client, which must not hide failures by trying again."""
        usual = {"base_url": f"{self.url}/v1", "api_key": KEY, "max_retries": 0}
        http_client = openai.DefaultHttpxClient(verify=authorities())
        return openai.OpenAI(**{**usual, "http_client": http_client, **options})

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Send one request, with the key and as JSON unless told otherwise."""
        usual = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=10)
        with closing(connection):
            connection.request(method, path, body, usual | named)
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def log(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        return [json.loads(line) for line in self.output.read_bytes().splitlines()]

    def record(self, request_id: str) -> dict[str, Any]:
        """Wait for the log line of a request."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            for line in self.log():
                if line["event"] == "request" and line["request_id"] == request_id:
                    return line
            time.sleep(0.01)
        raise AssertionError(f"{request_id} is not in the log")

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)


StartGateway = Callable[..., Gateway]


@pytest.fixture(scope="session")
def simulator() -> Iterator[RunningSimulator]:
    with simulator_process.start(SCENARIO) as running:
        yield running


@pytest.fixture(autouse=True)
def _calm_simulator(simulator: RunningSimulator) -> Iterator[None]:
    yield
    simulator.control.reset()


@pytest.fixture(scope="session")
def environ(simulator: RunningSimulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a gateway that works; neither a cache nor a database is there."""
    catalog = tmp_path_factory.mktemp("catalog") / "models.json"
    catalog.write_text(json.dumps(CATALOG))
    settings = {
        "environment": "test",
        "region": "us-east-1",
        "models_source": catalog.as_uri(),
        # On a busy machine others would be turned away now and then.
        "api_keys": json.dumps({"suite": {"key": KEY, "priority": "high"}}),
        "cache_host": "127.0.0.1",
        "cache_port": "1",
        "cache_tls": "false",
        "cache_username": "gateway",
        "cache_password": "password-of-the-cache",
        "database_host": "127.0.0.1",
        "database_port": "1",
        "database_tls": "false",
        "database_name": "gateway",
        "database_username": "gateway",
        "database_password": "password-of-the-database",
        "key_hashing_secret": "hashing-secret-of-the-test-suite-0123456789",
        "host": "127.0.0.1",
        # There is no load balancer that would have to notice.
        "lame_duck_seconds": "0",
        "bedrock_endpoint_url": simulator.url,
    }
    credentials = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret-of-the-test-suite"}
    return {variable(name): value for name, value in settings.items()} | credentials


@pytest.fixture(scope="session")
def start_gateway(
    environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartGateway]:
    """Starts gateways, with settings of their own besides the usual ones, and stops them at the end."""
    started: list[Gateway] = []

    def start(**settings: str) -> Gateway:
        port = _free_port()
        ports = {"port": str(port), "metrics_port": str(_free_pair_of_ports())}
        own = {variable(name): value for name, value in (ports | settings).items()}
        output = tmp_path_factory.mktemp("gateway") / "stdout"
        # Appended, so that a test may empty it.
        with output.open("ab") as stdout:
            process = subprocess.Popen(
                [sys.executable, "-m", "gateway"], env={**os.environ, **environ, **own}, stdout=stdout
            )
        metrics_url = f"http://127.0.0.1:{ports['metrics_port']}/metrics"
        gateway = Gateway(f"http://127.0.0.1:{port}", process, output, metrics_url)
        started.append(gateway)
        _wait_until_ready(gateway)
        return gateway

    yield start
    for gateway in started:
        gateway.process.kill()
        gateway.process.wait()


@pytest.fixture(scope="session")
def gateway(start_gateway: StartGateway) -> Gateway:
    """One gateway that all tests share that do not stop it."""
    return start_gateway()


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with gateway.client() as client:
        yield client


@pytest.fixture
def make_anthropic(gateway: Gateway) -> Iterator[Callable[..., anthropic.Anthropic]]:
    """Makes clients of Anthropic's, which must not hide failures by trying again."""
    clients: list[anthropic.Anthropic] = []

    def make(**options: Any) -> anthropic.Anthropic:
        http_client = anthropic.DefaultHttpxClient(verify=authorities())
        usual: dict[str, Any] = {"base_url": gateway.url, "max_retries": 0, "http_client": http_client}
        credential: dict[str, Any] = {} if "auth_token" in options else {"api_key": KEY}
        clients.append(anthropic.Anthropic(**usual | credential | options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def claude(make_anthropic: Callable[..., anthropic.Anthropic]) -> anthropic.Anthropic:
    return make_anthropic()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _free_pair_of_ports() -> int:
    """The first of two: a second worker's metrics are one port further."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def _wait_until_ready(gateway: Gateway) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if gateway.process.poll() is not None:
            raise AssertionError(f"the gateway ended with status {gateway.process.returncode}")
        try:
            with urllib.request.urlopen(f"{gateway.url}/health/ready", timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise AssertionError("the gateway is not ready after 20 s")
