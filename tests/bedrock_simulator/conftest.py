"""A running simulator with known accounts, and boto3 clients of it."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.bedrock_simulator.process import RunningSimulator, start

_SCENARIO = """
accounts:
  - id: "111111111111"
    access_keys: {AKIDONE: secret-one}
    bearer_tokens: [{token: bedrock-api-key-one, region: us-west-2}]
  - id: "222222222222"
    access_keys: {AKIDTWO: secret-two}
    denied_models: [amazon.nova-pro-v1:0]
"""

ClientFactory = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a developer's shell says about AWS is none of these tests' business."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def _process() -> Iterator[RunningSimulator]:
    with start(_SCENARIO) as running:
        yield running


@pytest.fixture
def simulator(_process: RunningSimulator) -> RunningSimulator:
    """The simulator of this session as it was at its start."""
    _process.control.reset()
    return _process


@pytest.fixture(scope="session")
def _boto3_session() -> boto3.Session:
    return boto3.Session()


@pytest.fixture
def client_for(simulator: RunningSimulator, _boto3_session: boto3.Session) -> Iterator[ClientFactory]:
    """Make clients that do not retry; they are closed after the test."""
    clients = []

    def make(
        region: str = "us-east-1",
        key: str | None = "AKIDONE",
        secret: str | None = "secret-one",
        url: str | None = None,
        **config: Any,
    ) -> Any:
        settings = {
            "retries": {"total_max_attempts": 1},
            "read_timeout": 5,
            "max_pool_connections": 50,
        } | config
        client = _boto3_session.client(
            "bedrock-runtime",
            endpoint_url=url or simulator.url,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(**settings),
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(client_for: ClientFactory) -> Any:
    """A client of account 111111111111 in us-east-1."""
    return client_for()
