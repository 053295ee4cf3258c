"""Two gateways that share a Valkey, in front of the Bedrock simulator; each test breaks something."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.bedrock_simulator import process as simulator_process
from local.bedrock_simulator.control import Control
from local.bedrock_simulator.process import RunningSimulator
from local.callers import Callers
from local.fleet import Fleet, fleet

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


NOVA = "amazon.nova-lite-v1:0"
# Two regions share the load; a third one, in another account, and another model stand behind them.
CATALOG = {
    "models": [
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
            "fallbacks": ["last-resort"],
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
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with simulator_process.start(SCENARIO) as running:
        yield running


@pytest.fixture
def faults(simulator: RunningSimulator) -> Iterator[Control]:
    """The simulator's control, with nothing broken before and after."""
    simulator.control.reset()
    yield simulator.control
    simulator.control.reset()


@pytest.fixture
def running(simulator: RunningSimulator, faults: Control) -> Iterator[Fleet]:
    """Two gateways of this test alone: what they learnt of deployments is forgotten with them."""
    environ = {"AWS_ACCESS_KEY_ID": "AKIAGATEWAY", "AWS_SECRET_ACCESS_KEY": "secret-of-the-gateway"}
    settings = {"bedrock_endpoint_url": simulator.url, "sts_endpoint_url": simulator.url}
    with fleet(
        catalog=CATALOG, api_keys={"faults": KEY}, settings=settings, environ=environ
    ) as gateways_and_cache:
        yield gateways_and_cache


@pytest.fixture
def callers(running: Fleet) -> Callers:
    return Callers(running.gateways, KEY)


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for something that happens by itself."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[..., None]:
    return wait_until
