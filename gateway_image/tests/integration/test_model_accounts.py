"""Deployments in other accounts, through a real gateway, STS and a Bedrock that verifies every signature."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from local.bedrock_simulator import process as simulator_process
from local.bedrock_simulator.faults import RoleRefused
from local.bedrock_simulator.process import RunningSimulator

MODEL = "amazon.nova-lite-v1:0"
SCENARIO = f"""
unknown_access_keys: reject
models:
  - {{id: "{MODEL}", family: nova, regions: [us-east-1], max_output_tokens: 10000}}
accounts:
  - id: "111111111111"
    access_keys: {{AKIDTEST: secret-of-the-test-suite}}
    denied_models: ["{MODEL}"]
  - id: "222222222222"
    roles: [{{name: lasting}}]
  - id: "333333333333"
    roles: [{{name: short, session_seconds: 3}}]
"""
LASTING = "arn:aws:iam::222222222222:role/lasting"
SHORT = "arn:aws:iam::333333333333:role/short"
MESSAGES: Any = [{"role": "user", "content": "Hello"}]


def _deployment(name: str, role: str, tier: int) -> dict[str, Any]:
    return {
        "name": name,
        "provider": "bedrock",
        "region": "us-east-1",
        "model_id": MODEL,
        "role_arn": role,
        "tier": tier,
    }


@pytest.fixture(scope="module")
def accounts() -> Iterator[RunningSimulator]:
    with simulator_process.start(SCENARIO) as running:
        yield running


@pytest.fixture
def start(
    accounts: RunningSimulator, start_gateway: Callable[..., Any], tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Starts a gateway whose first choice is the short role's account, with the lasting one behind it."""
    accounts.control.reset()
    catalog = tmp_path / "models.json"
    deployments = [_deployment("short", SHORT, 0), _deployment("lasting", LASTING, 1)]
    catalog.write_text(json.dumps({"models": [{"name": "nova", "deployments": deployments}]}))
    started = []

    def start(**settings: str) -> Any:
        gateway = start_gateway(
            models_source=catalog.as_uri(),
            bedrock_endpoint_url=accounts.url,
            sts_endpoint_url=accounts.url,
            **settings,
        )
        started.append(gateway)
        return gateway

    yield start
    for gateway in started:
        gateway.process.kill()


def _account_that_answers(client: openai.OpenAI, accounts: RunningSimulator) -> str:
    assert client.chat.completions.create(model="nova", messages=MESSAGES).choices
    answered = [call for call in accounts.control.calls() if call.operation == "Converse"]
    account = answered[-1].account
    assert account is not None
    return account


@pytest.mark.parametrize("authentication", ["signature", "bearer"])
def test_each_deployment_is_called_in_its_account_under_the_gateway_s_name(
    accounts: RunningSimulator, start: Callable[..., Any], authentication: str
) -> None:
    with start(bedrock_authentication=authentication).client() as client:
        assert _account_that_answers(client, accounts) == "333333333333"
    call = accounts.control.calls()[-1]
    assert call.authentication == authentication
    assert call.principal == "arn:aws:sts::333333333333:assumed-role/short/gatehouse-test"
    assert call.session_tags == {"project": "gatehouse", "environment": "test"}


def test_expired_credentials_fail_their_deployment_alone_and_come_back(
    accounts: RunningSimulator, start: Callable[..., Any]
) -> None:
    gateway = start()
    with gateway.client() as client:
        assert _account_that_answers(client, accounts) == "333333333333"

        refused = accounts.control.add_fault(RoleRefused(role_arn=SHORT))
        time.sleep(3.1)  # until the session has ended
        answering = [_account_that_answers(client, accounts) for _ in range(5)]
        assert answering == ["222222222222"] * 5
        assert any("upstream_credentials" in str(line.get("failed_attempts")) for line in gateway.log())
        assert "secret-of-the-test-suite" not in gateway.output.read_text()

        accounts.control.clear_faults(refused)
        deadline = time.monotonic() + 40
        while _account_that_answers(client, accounts) != "333333333333":
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_a_role_that_cannot_be_assumed_does_not_keep_the_gateway_from_starting(
    accounts: RunningSimulator, start: Callable[..., Any]
) -> None:
    accounts.control.add_fault(RoleRefused(role_arn=SHORT))
    gateway = start()
    with gateway.client() as client:
        assert _account_that_answers(client, accounts) == "222222222222"
    (warning,) = [line for line in gateway.log() if SHORT in str(line.get("message"))][:1]
    assert warning["level"] == "warning"
    assert "AccessDenied" in warning["message"]
