"""Roles of a scenario's accounts, assumed by boto3 and used against Bedrock."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.bedrock_simulator.faults import RoleRefused
from local.bedrock_simulator.process import RunningSimulator, start

NOVA = "us.amazon.nova-lite-v1:0"
MESSAGES = [{"role": "user", "content": [{"text": "Hello"}]}]
SCENARIO = """
unknown_access_keys: reject
accounts:
  - id: "111111111111"
    access_keys: {AKIDONE: secret-one}
  - id: "222222222222"
    roles:
      - {name: models}
      - {name: short, session_seconds: 1}
      - {name: untagged, session_tags: false}
"""
CONFIG = Config(retries={"total_max_attempts": 1})

Clients = Callable[..., Any]


@pytest.fixture(scope="module")
def _process() -> Iterator[RunningSimulator]:
    with start(SCENARIO) as running:
        yield running


@pytest.fixture
def simulator(_process: RunningSimulator) -> RunningSimulator:
    _process.control.reset()
    return _process


@pytest.fixture
def clients(simulator: RunningSimulator) -> Iterator[Clients]:
    made = []

    def make(service: str, credentials: dict[str, Any] | None = None, secret: str = "secret-one") -> Any:
        keys = credentials or {"AccessKeyId": "AKIDONE", "SecretAccessKey": secret}
        client = boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=simulator.url,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys.get("SessionToken"),
            config=CONFIG,
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


def _assume(clients: Clients, role: str = "models", **others: Any) -> dict[str, Any]:
    answer: dict[str, Any] = clients("sts").assume_role(
        **{
            "RoleArn": f"arn:aws:iam::222222222222:role/{role}",
            "RoleSessionName": "gatehouse-dev",
            "DurationSeconds": 3600,
            **others,
        }
    )
    return answer


def _refusal(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(ClientError) as raised:
        call()
    response = raised.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_a_session_acts_in_the_role_s_account(simulator: RunningSimulator, clients: Clients) -> None:
    answer = _assume(clients, Tags=[{"Key": "project", "Value": "gatehouse"}])
    principal = "arn:aws:sts::222222222222:assumed-role/models/gatehouse-dev"
    assert answer["AssumedRoleUser"]["Arn"] == principal
    assert answer["Credentials"]["Expiration"].timestamp() == pytest.approx(time.time() + 3600, abs=5)

    clients("bedrock-runtime", answer["Credentials"]).converse(modelId=NOVA, messages=MESSAGES)
    call = simulator.control.calls()[-1]
    assert (call.account, call.principal) == ("222222222222", principal)
    assert call.session_tags == {"project": "gatehouse"}


@pytest.mark.parametrize("damage", ["SecretAccessKey", "SessionToken"])
def test_keys_without_their_secret_or_token_are_refused(clients: Clients, damage: str) -> None:
    credentials = _assume(clients)["Credentials"] | {damage: "guessed"}
    client = clients("bedrock-runtime", credentials)
    status, _ = _refusal(lambda: client.converse(modelId=NOVA, messages=MESSAGES))
    assert status == 403


def test_a_session_ends(clients: Clients) -> None:
    client = clients("bedrock-runtime", _assume(clients, "short")["Credentials"])
    assert client.converse(modelId=NOVA, messages=MESSAGES)
    time.sleep(1.1)
    refusal = _refusal(lambda: client.converse(modelId=NOVA, messages=MESSAGES))
    assert refusal == (403, "ExpiredTokenException")


@pytest.mark.parametrize(
    ("others", "refusal"),
    [
        ({"RoleArn": "arn:aws:iam::333333333333:role/models"}, (403, "AccessDenied")),
        ({"DurationSeconds": 7200}, (400, "ValidationError")),
        (
            {"RoleArn": "arn:aws:iam::222222222222:role/untagged", "Tags": [{"Key": "a", "Value": "b"}]},
            (403, "AccessDenied"),
        ),
    ],
)
def test_what_sts_would_refuse_is_refused(
    clients: Clients, others: dict[str, Any], refusal: tuple[int, str]
) -> None:
    assert _refusal(lambda: _assume(clients, **others)) == refusal


def test_a_caller_that_is_not_who_it_says_is_refused(clients: Clients) -> None:
    impostor = clients("sts", secret="guessed")
    arn = "arn:aws:iam::222222222222:role/models"
    status, _ = _refusal(lambda: impostor.assume_role(RoleArn=arn, RoleSessionName="x2", DurationSeconds=900))
    assert status == 403


def test_a_role_is_refused_on_command(simulator: RunningSimulator, clients: Clients) -> None:
    simulator.control.add_fault(RoleRefused(error="Throttling", times=1))
    assert _refusal(lambda: _assume(clients)) == (400, "Throttling")
    assert _assume(clients)
