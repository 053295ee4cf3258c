"""Two gateways that share a Valkey, in front of the Bedrock simulator; each test breaks something."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from local.bedrock_simulator import process as simulator_process
from local.bedrock_simulator.control import Control
from local.bedrock_simulator.process import RunningSimulator
from local.callers import Callers
from local.fleet import Fleet, GatewayProcess, fleet
from local.throwaway_servers import Valkey

KEY = "key-of-the-fault-tests-0123456789abcdef"
MODEL_ACCOUNT = "222222222222"
SCENARIO = """
accounts:
  - id: "111111111111"
    access_keys: {AKIAGATEWAY: secret-of-the-gateway}
  - id: "222222222222"
    roles: [{name: models}]
unknown_access_keys: reject
timing: {tokens_per_second: 500}
"""
TIME_LIMITS = {
    "connect_seconds": 1,
    "first_byte_seconds": 1,
    "between_chunks_seconds": 1,
    "whole_answer_seconds": 2,
}
NOVA = "amazon.nova-lite-v1:0"


def deployment(name: str, region: str, model_id: str, **fields: Any) -> dict[str, Any]:
    """A Bedrock deployment with short time limits."""
    return {
        "name": name,
        "provider": "bedrock",
        "region": region,
        "model_id": model_id,
        "time_limits": TIME_LIMITS,
        **fields,
    }


def models_of(test: int) -> list[dict[str, Any]]:
    """Models that only one test asks for: nothing that others make gateways learn of deployments counts here.

    Two regions share the load; a third one, in another account, and another model stand behind them.
    """
    models: list[dict[str, Any]] = [
        {
            "name": "chat",
            "max_output_tokens": 5000,
            "deployments": [
                deployment("east", "us-east-1", NOVA),
                deployment("west", "us-west-2", NOVA),
                deployment(
                    "spare", "eu-west-1", NOVA, tier=1, role_arn=f"arn:aws:iam::{MODEL_ACCOUNT}:role/models"
                ),
            ],
            "fallbacks": [f"last-resort-{test}"],
        },
        {
            "name": "last-resort",
            "max_output_tokens": 5000,
            "deployments": [deployment("last-resort", "eu-central-1", "amazon.nova-micro-v1:0")],
        },
        {
            "name": "half-resolvable",
            "deployments": [
                {
                    "name": "nowhere",
                    "provider": "openai_compatible",
                    "base_url": "https://no-such-host.invalid/v1",
                    "model": "any",
                    "time_limits": TIME_LIMITS,
                },
                deployment("somewhere", "us-east-2", NOVA, tier=1),
            ],
        },
    ]
    for named in itertools.chain(models, *(model["deployments"] for model in models)):
        named["name"] += f"-{test}"
    return models


@pytest.fixture(scope="session")
def simulator() -> Iterator[RunningSimulator]:
    with simulator_process.start(SCENARIO) as running:
        yield running


@pytest.fixture
def faults(simulator: RunningSimulator) -> Iterator[Control]:
    """The simulator's control, with nothing broken before and after."""
    simulator.control.reset()
    yield simulator.control
    simulator.control.reset()


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """The numbers of the tests that ask for models."""
    return itertools.count()


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest, simulator: RunningSimulator) -> Iterator[Fleet]:
    """Two gateways that know the models of all tests."""
    tests = sum("own" in getattr(item, "fixturenames", ()) for item in request.session.items)
    catalog = {"models": [model for test in range(tests) for model in models_of(test)]}
    environ = {"AWS_ACCESS_KEY_ID": "AKIAGATEWAY", "AWS_SECRET_ACCESS_KEY": "secret-of-the-gateway"}
    settings = {"bedrock_endpoint_url": simulator.url, "sts_endpoint_url": simulator.url}
    with fleet(catalog=catalog, api_keys={"faults": KEY}, settings=settings, environ=environ) as running:
        yield running


@pytest.fixture
def running(shared: Fleet, faults: Control) -> Iterator[Fleet]:
    """The gateways and their cache, which a test may mistreat: the next one finds them running."""
    catalog = shared.catalog.read_text()
    yield shared
    shared.catalog.write_text(catalog)
    servers: list[Valkey | GatewayProcess] = [shared.valkey, *shared.gateways]
    for server in servers:
        if server.process is None or server.process.poll() is not None:
            server.start()


@pytest.fixture
def own(numbers: Iterator[int]) -> Callable[[str], str]:
    """The full name of one of the test's own models or deployments."""
    number = next(numbers)
    return lambda name: f"{name}-{number}"


@pytest.fixture
def callers(running: Fleet, own: Callable[[str], str]) -> Iterator[Callers]:
    with closing(Callers(running.gateways, KEY, own("chat"))) as callers:
        yield callers


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for something that happens by itself."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[..., None]:
    return wait_until
