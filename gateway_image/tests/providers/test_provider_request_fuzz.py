"""Whatever a caller sends: providers' requests for it are JSON, or the caller is told what is wrong."""

from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.anthropic.messages import decode_count_tokens_envelope, decode_messages_envelope
from gateway.aws.assumed_roles import CredentialsByRole
from gateway.aws.credentials import Credentials
from gateway.call import Call, Operation
from gateway.callers import Caller
from gateway.catalog import BedrockDeployment, Deployment, OpenAICompatibleDeployment, SageMakerDeployment
from gateway.catalog.strategies import Condition
from gateway.errors import GatewayError
from gateway.json_limits import check_depth
from gateway.openai.chat import decode_envelope as decode_chat_envelope
from gateway.openai.embeddings import model_of
from gateway.openai.responses import decode_envelope as decode_responses_envelope
from gateway.openai.responses_mapping import answer_by_chat
from gateway.provider_keys import ProviderKeys
from gateway.providers.bedrock.provider import BedrockProvider
from gateway.providers.interface import Provider, UpstreamBatch, UpstreamRequest
from gateway.providers.openai_compatible.provider import OpenAICompatibleProvider
from gateway.providers.sagemaker.provider import SageMakerProvider
from gateway.routing.conditions import all_hold

Json = Any
Damaged = Callable[[Json], st.SearchStrategy[bytes]]

CHAT = {
    "model": "m",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": "Ho", "thinking_blocks": [{"type": "thinking", "thinking": "Hm"}]},
    ],
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
    "stop": ["end"],
    "stream": True,
    "stream_options": {"include_usage": True},
    "metadata": {"place": "eu"},
    "max_tokens": 9,
}
RESPONSES = {
    "model": "m",
    "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
    "text": {"format": {"type": "text"}},
    "reasoning": {"effort": "low"},
    "stream": True,
    "metadata": {"place": "eu"},
}
MESSAGES = {
    "model": "m",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "Hi"}],
    "anthropic_beta": ["context-1m-2025-08-07"],
    "metadata": {"user_id": "u"},
}
EMBEDDINGS = {"model": "m", "input": ["Hi", "Ho"], "dimensions": 256, "encoding_format": "float"}
DECODE: dict[Operation, tuple[Callable[[bytes], Any], Json]] = {
    "chat_completions": (decode_chat_envelope, CHAT),
    "responses": (decode_responses_envelope, RESPONSES),
    "messages": (decode_messages_envelope, MESSAGES),
    "count_tokens": (decode_count_tokens_envelope, MESSAGES),
    "embeddings": (lambda body: model_of(body, model_in_path="m"), EMBEDDINGS),
}


class _Roles:
    def current(self, role_arn: str | None) -> Credentials:
        return Credentials(access_key_id="AKIDTEST", secret_access_key="secret")


def _bedrock(model_id: str, **fields: Any) -> tuple[Provider[Any], Deployment]:
    given = {"name": "d", "provider": "bedrock", "region": "us-east-1", "model_id": model_id, **fields}
    provider = BedrockProvider(cast(CredentialsByRole, _Roles()), None)
    return provider, BedrockDeployment.model_validate(given)


def _openai_compatible() -> tuple[Provider[Any], Deployment]:
    apis = ["chat_completions", "embeddings", "responses"]
    given = {"name": "d", "provider": "openai_compatible", "base_url": "https://a.test/v1", "apis": apis}
    provider = OpenAICompatibleProvider(cast(ProviderKeys, None))
    return provider, OpenAICompatibleDeployment.model_validate(given | {"model": "theirs"})


def _sagemaker() -> tuple[Provider[Any], Deployment]:
    given = {"name": "d", "provider": "sagemaker", "region": "us-east-1", "endpoint_name": "llm"}
    provider = SageMakerProvider(cast(CredentialsByRole, _Roles()), None)
    return provider, SageMakerDeployment.model_validate(given)


TARGETS = {
    "claude": _bedrock("anthropic.claude-haiku-4-5-20251001-v1:0"),
    "gpt-oss": _bedrock("openai.gpt-oss-120b-1:0", chat_api="openai"),
    "titan": _bedrock("amazon.titan-embed-text-v2:0"),
    "openai": _openai_compatible(),
    "sagemaker": _sagemaker(),
}
CALLS = [
    (name, operation)
    for name, (provider, deployment) in TARGETS.items()
    for operation in DECODE
    if operation in provider.operations(deployment) or (name, operation) == ("claude", "responses")
]
CONDITIONS = [
    {"field": "metadata.place", "at_most": 5},
    {"field": "metadata.place", "is_in": ["eu"]},
    {"field": "tools", "is_in": [True]},
    {"field": "images", "is_in": [True]},
]
HOLDS = [all_hold([Condition.model_validate(condition)]) for condition in CONDITIONS]


@pytest.mark.parametrize(("name", "operation"), CALLS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_body_is_sent_as_json_or_is_the_callers_error(
    damaged: Damaged, name: str, operation: Operation, data: st.DataObject
) -> None:
    decode, sample = DECODE[operation]
    body = data.draw(damaged(sample))
    # Bytes that are no text are refused when they come in.
    assume(body.isascii() or body.decode(errors="replace").encode() == body)
    outcome = _outcome(name, operation, body, decode)
    if isinstance(outcome, GatewayError):
        assert outcome.status == 400
        msgspec.json.decode(outcome.body())
        return
    for request in outcome.parts if isinstance(outcome, UpstreamBatch) else [outcome]:
        msgspec.json.decode(request.body)


def _outcome(
    name: str, operation: Operation, body: bytes, decode: Callable[[bytes], Any]
) -> UpstreamRequest | UpstreamBatch | GatewayError:
    try:
        check_depth(body, 100)
        envelope = decode(body)
        call = Call(operation, "m", body, stream=bool(getattr(envelope, "stream", False)))
        for holds in HOLDS:
            holds(call, Caller("bootstrap:caller", "caller", "bootstrap"))
        return _prepare(*TARGETS[name], call)
    except GatewayError as error:
        return error


def _prepare(provider: Provider[Any], deployment: Deployment, call: Call) -> UpstreamRequest | UpstreamBatch:
    def prepare(call: Call) -> Any:
        return provider.prepare(deployment, call, max_output_tokens=100)

    if call.operation in provider.operations(deployment):
        return cast(UpstreamRequest | UpstreamBatch, prepare(call))
    return answer_by_chat(call, prepare)
