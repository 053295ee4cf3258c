"""Bedrock's OpenAI-compatible endpoint: when it is called, and with what."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.aws.credentials import Credentials
from gateway.call import Call
from gateway.catalog import BedrockDeployment
from gateway.providers.bedrock.provider import BedrockProvider
from gateway.providers.interface import UpstreamRequest

MakeCall = Callable[..., Call]


class _Credentials:
    """Credentials of a test."""

    def current(self, role_arn: str | None) -> Credentials:
        return Credentials(access_key_id="AKIDTEST", secret_access_key="secret")


@pytest.fixture
def bedrock() -> BedrockProvider:
    return BedrockProvider(_Credentials(), None)  # type: ignore[arg-type]


def _deployment(**fields: Any) -> BedrockDeployment:
    usual = {
        "name": "gpt-a",
        "provider": "bedrock",
        "region": "us-west-2",
        "model_id": "us.openai.gpt-5.6-sol",
        "chat_api": "openai",
    }
    return BedrockDeployment.model_validate(usual | fields)


def _prepare(bedrock: BedrockProvider, deployment: BedrockDeployment, call: Call) -> UpstreamRequest:
    prepared = bedrock.prepare(deployment, call, max_output_tokens=900)
    assert isinstance(prepared, UpstreamRequest)
    return prepared


@pytest.mark.parametrize(
    ("operation", "fields", "path", "limit"),
    [
        ("chat_completions", {"messages": []}, "chat/completions", "max_completion_tokens"),
        ("responses", {"input": "Hi"}, "responses", "max_output_tokens"),
    ],
)
def test_requests_are_signed_and_limited(
    bedrock: BedrockProvider,
    make_call: MakeCall,
    operation: str,
    fields: Mapping[str, Any],
    path: str,
    limit: str,
) -> None:
    prepared = _prepare(bedrock, _deployment(), make_call(operation, **fields))
    assert prepared.url == f"https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1/{path}"
    assert "/us-west-2/bedrock/aws4_request" in prepared.headers["authorization"]
    assert json.loads(prepared.body) == {"model": "us.openai.gpt-5.6-sol", limit: 900, **fields}


def test_the_callers_own_limit_is_kept(bedrock: BedrockProvider) -> None:
    raw = b'{"model":"public-name","messages":[],"max_tokens":5}'
    call = Call("chat_completions", "public-name", raw, max_output_tokens=5)
    assert json.loads(_prepare(bedrock, _deployment(), call).body) == {
        "model": "us.openai.gpt-5.6-sol",
        "messages": [],
        "max_tokens": 5,
    }


def test_a_limit_of_null_is_none(bedrock: BedrockProvider, make_call: MakeCall) -> None:
    call = make_call(messages=[], max_completion_tokens=None)
    assert json.loads(_prepare(bedrock, _deployment(), call).body)["max_completion_tokens"] == 900


def test_an_application_profile_is_called_by_its_arn(bedrock: BedrockProvider, make_call: MakeCall) -> None:
    arn = "arn:aws:bedrock:us-west-2:111122223333:application-inference-profile/a1b2c3d4e5f6"
    prepared = _prepare(bedrock, _deployment(application_profile_arn=arn), make_call(messages=[]))
    assert json.loads(prepared.body)["model"] == arn


def test_what_a_deployment_can_do(bedrock: BedrockProvider) -> None:
    assert bedrock.operations(_deployment()) == {"chat_completions", "responses"}
    assert bedrock.operations(_deployment(model_id="openai.gpt-oss-20b-1:0")) == {"chat_completions"}
    assert bedrock.operations(_deployment(chat_api="converse")) == {"chat_completions"}
    assert bedrock.operations(_deployment(model_id="amazon.titan-embed-text-v2:0")) == {"embeddings"}


def test_a_guardrail_is_never_gone_around(bedrock: BedrockProvider, make_call: MakeCall) -> None:
    """The endpoint takes the headers that name a guardrail and may not act on them: Converse does."""
    guarded = _deployment(guardrail={"identifier": "gr1a2b3c4d5e", "version": "1"})
    call = make_call(messages=[{"role": "user", "content": "Hi"}])
    prepared = _prepare(bedrock, guarded, call)
    assert prepared.url.endswith("/converse")
    assert json.loads(prepared.body)["guardrailConfig"]["guardrailIdentifier"] == "gr1a2b3c4d5e"
    assert bedrock.operations(guarded) == {"chat_completions"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "code"),
    [
        (403, {"x-amzn-errortype": "ExpiredTokenException"}, {"message": "x"}, "upstream_credentials"),
        (429, {"x-amzn-errortype": "ThrottlingException"}, {"message": "x"}, "rate_limit_exceeded"),
        (400, {}, {"error": {"message": "no", "code": "invalid_value"}}, "invalid_value"),
        (404, {}, {"error": {"message": "no"}}, "upstream_model_not_found"),
    ],
)
def test_errors_of_aws_and_of_the_endpoint(
    bedrock: BedrockProvider,
    make_call: MakeCall,
    status: int,
    headers: Mapping[str, str],
    body: Mapping[str, Any],
    code: str,
) -> None:
    prepared = _prepare(bedrock, _deployment(), make_call(messages=[]))
    assert prepared.read_error(status, headers, json.dumps(body).encode()).code == code
