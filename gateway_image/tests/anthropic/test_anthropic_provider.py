"""Which Bedrock operations the Messages API's calls become, and how they are addressed."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from gateway.aws.assumed_roles import CredentialsByRole
from gateway.aws.credentials import Credentials
from gateway.call import Call
from gateway.catalog import BedrockDeployment
from gateway.providers.bedrock.anthropic_stream import MessageStream
from gateway.providers.bedrock.provider import BedrockProvider
from gateway.providers.interface import UpstreamRequest

MakeCall = Callable[..., Call]

HAIKU = "eu.anthropic.claude-haiku-4-5-20251001-v1:0"
PROFILE = "arn:aws:bedrock:eu-west-1:111122223333:application-inference-profile/a1b2c3d4e5f6"


class _Roles:
    def current(self, role_arn: str | None) -> Credentials:
        return Credentials(access_key_id="AKIDTEST", secret_access_key="secret")


@pytest.fixture
def provider() -> BedrockProvider:
    return BedrockProvider(cast(CredentialsByRole, _Roles()), None)


def deployment(
    model_id: str = "eu.anthropic.claude-haiku-4-5-20251001-v1:0", **more: Any
) -> BedrockDeployment:
    fields = {"name": "a", "provider": "bedrock", "region": "eu-west-1", "model_id": model_id}
    return BedrockDeployment.model_validate(fields | more)


def prepare(provider: BedrockProvider, call: Call, **more: Any) -> UpstreamRequest:
    prepared = provider.prepare(deployment(**more), call, max_output_tokens=100)
    assert isinstance(prepared, UpstreamRequest)
    return prepared


@pytest.mark.parametrize(
    ("model_id", "offered"),
    [
        ("anthropic.claude-haiku-4-5-20251001-v1:0", True),
        ("global.anthropic.claude-sonnet-4-6", True),
        ("us.amazon.nova-lite-v1:0", False),
        ("meta.anthropic.claude", False),
    ],
)
def test_anthropics_api_is_for_anthropics_models(
    provider: BedrockProvider, model_id: str, offered: bool
) -> None:
    operations = provider.operations(deployment(model_id))
    assert ("messages" in operations) is offered
    assert ("count_tokens" in operations) is offered
    assert "chat_completions" in operations


def test_a_message_is_asked_of_the_profile_that_is_called(
    provider: BedrockProvider, make_call: MakeCall
) -> None:
    host = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/"
    whole = prepare(provider, make_call())
    assert whole.url == f"{host}eu.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke"
    own = prepare(provider, make_call(), application_profile_arn=PROFILE)
    assert own.url == f"{host}{PROFILE.replace(':', '%3A').replace('/', '%2F')}/invoke"


def test_a_stream_is_another_operation(provider: BedrockProvider, make_call: MakeCall) -> None:
    call = make_call(stream=True)
    call.stream = True
    streamed = prepare(provider, call)
    assert streamed.url.endswith("/invoke-with-response-stream")
    assert streamed.open_stream is not None
    assert isinstance(streamed.open_stream(), MessageStream)


def test_tokens_are_counted_for_the_foundation_model(provider: BedrockProvider, make_call: MakeCall) -> None:
    counted = prepare(provider, make_call(operation="count_tokens"), application_profile_arn=PROFILE)
    assert counted.url.endswith("/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/count-tokens")
    assert counted.open_stream is None


def test_a_guardrail_is_named_under_the_signature(provider: BedrockProvider, make_call: MakeCall) -> None:
    guarded = prepare(provider, make_call(), guardrail={"identifier": "gr1a2b3c", "version": "2"})
    assert guarded.headers["x-amzn-bedrock-guardrailidentifier"] == "gr1a2b3c"
    assert guarded.headers["x-amzn-bedrock-guardrailversion"] == "2"
    signed = "x-amzn-bedrock-guardrailidentifier;x-amzn-bedrock-guardrailversion"
    assert signed in guarded.headers["authorization"]
    assert not [name for name in prepare(provider, make_call()).headers if "guardrail" in name]
