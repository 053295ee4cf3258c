"""The gateway's image, built and run for real.

A running Docker is used where there is one; otherwise these tests start a daemon of their own, as root, and
make the base image from Debian's packages. Where neither works they fail: what was not run is not tested.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import openai
import pytest

from gateway.settings import variable
from local.bedrock_simulator import process as simulator_process
from local.bedrock_simulator.process import RunningSimulator
from local.container.daemon import own_daemon
from local.container.docker import Docker, running_docker
from local.container.images import build_gateway_image, import_base_image
from local.throwaway_servers import free_port

IMAGE = "gatehouse-gateway:test"
API_KEY = "key-of-the-container-tests-0123456789abcdef"
MODEL = "nova"
CATALOG = {
    "models": [
        {
            "name": MODEL,
            "max_output_tokens": 1000,
            "deployments": [
                {
                    "name": "nova-lite-us",
                    "provider": "bedrock",
                    "region": "us-east-1",
                    "model_id": "us.amazon.nova-lite-v1:0",
                }
            ],
        }
    ]
}
# 50 words a second: time to do something while an answer streams.
SCENARIO = """
timing:
  first_token: {kind: constant, milliseconds: 0}
  tokens_per_second: 50
"""
HARDENED = (
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=256m",
    "--memory-swap=256m",
    "--pids-limit=64",
    "--network=host",
)
_READY_SECONDS = 30


@dataclass(frozen=True)
class Container:
    """A running gateway."""

    docker: Docker
    name: str
    url: str

    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=API_KEY, max_retries=0)

    def inspect(self, template: str) -> str:
        return self.docker.run("inspect", "--format", template, self.name)


StartContainer = Callable[[], Container]
RunPython = Callable[[str], str]


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    running = running_docker()
    if running is not None:
        yield running
        return
    with own_daemon() as own:
        import_base_image(own)
        yield own


@pytest.fixture(scope="session")
def image(docker: Docker) -> str:
    build_gateway_image(docker, IMAGE)
    return IMAGE


@pytest.fixture(scope="session")
def run_python(docker: Docker, image: str) -> RunPython:
    """Runs a line of Python in a new container of the image and returns what it prints."""

    def run(code: str) -> str:
        return docker.run("run", "--rm", "--network=none", "--entrypoint=python", image, "-c", code)

    return run


@pytest.fixture(scope="session")
def simulator() -> Iterator[RunningSimulator]:
    with simulator_process.start(SCENARIO) as running:
        yield running


@pytest.fixture(scope="session")
def start_container(
    docker: Docker, image: str, simulator: RunningSimulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartContainer]:
    """Starts gateways in containers, hardened as the platform runs them, and removes them at the end."""
    folder = tmp_path_factory.mktemp("container")
    folder.chmod(0o755)
    catalog = folder / "models.json"
    catalog.write_text(json.dumps(CATALOG))
    catalog.chmod(0o644)
    started = []

    def start() -> Container:
        port = free_port()
        variables = folder / f"{port}.env"
        variables.write_text("".join(f"{n}={v}\n" for n, v in _environment(port, simulator.url).items()))
        container = Container(docker, f"gatehouse-test-{port}", f"http://127.0.0.1:{port}")
        started.append(container)
        docker.run(
            "run",
            "--detach",
            f"--name={container.name}",
            f"--env-file={variables}",
            f"--volume={catalog}:/catalog/models.json:ro",
            "--health-interval=1s",
            *HARDENED,
            image,
        )
        _wait_until_ready(container)
        return container

    yield start
    for container in started:
        docker.run("rm", "--force", container.name)


@pytest.fixture(scope="session")
def container(start_container: StartContainer) -> Container:
    """One gateway that all tests share that do not stop it."""
    return start_container()


def _environment(port: int, bedrock: str) -> dict[str, str]:
    """The variables of a gateway that works; neither a cache nor a database is there."""
    settings = {
        "environment": "test",
        "region": "us-east-1",
        "models_source": "file:///catalog/models.json",
        "api_keys": json.dumps({"suite": API_KEY}),
        "key_hashing_secret": "what-the-container-tests-hash-keys-with",
        "cache_host": "127.0.0.1",
        "cache_port": "1",
        "cache_username": "gateway",
        "cache_password": "password-of-the-cache",
        "database_host": "127.0.0.1",
        "database_port": "1",
        "database_name": "gateway",
        "database_username": "gateway",
        "database_password": "password-of-the-database",
        "host": "127.0.0.1",
        "port": str(port),
        # Containers share the host's network here.
        "metrics_port": str(free_port()),
        "lame_duck_seconds": "0",
        "bedrock_endpoint_url": bedrock,
    }
    credentials = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret-of-the-container-tests"}
    return {variable(name): value for name, value in settings.items()} | credentials


def _wait_until_ready(container: Container) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{container.url}/health/ready", timeout=1):
                return
        except (urllib.error.URLError, ConnectionError):
            if container.inspect("{{.State.Running}}") != "true":
                break
            time.sleep(0.1)
    logs = container.docker.attempt("logs", container.name)
    raise AssertionError(f"the gateway is not ready:\n{logs.stdout}{logs.stderr}")
