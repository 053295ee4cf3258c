"""What a provider is sent: the caller's fields, another model, the key."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway.call import Call
from gateway.catalog import OpenAICompatibleDeployment
from gateway.errors import GatewayError
from gateway.provider_keys import ProviderKeyError
from gateway.providers.openai_compatible.provider import OpenAICompatibleProvider

MakeCall = Callable[..., Call]
MakeDeployment = Callable[..., OpenAICompatibleDeployment]


def _body(provider: OpenAICompatibleProvider, deployment: OpenAICompatibleDeployment, call: Call) -> Any:
    return json.loads(provider.prepare(deployment, call, max_output_tokens=4096).body)


def test_fields_pass_through_as_they_are(
    provider: OpenAICompatibleProvider, make_call: MakeCall, make_deployment: MakeDeployment
) -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "\u00e9\n"}]}]
    call = make_call(messages=messages, temperature=0.10, top_k=5, vendor={"nested": [1e-7, None]})
    body = _body(provider, make_deployment(), call)
    assert body == {
        "model": "their-model",
        "messages": messages,
        "temperature": 0.1,
        "top_k": 5,
        "vendor": {"nested": [1e-7, None]},
    }


def test_thoughts_signed_by_another_model_stay_out(
    provider: OpenAICompatibleProvider, make_call: MakeCall, make_deployment: MakeDeployment
) -> None:
    """A conversation that began with a Claude model goes on here after a fallback."""
    thought = {"type": "thinking", "thinking": "hm", "signature": "c2lnbmVk"}
    answer = {"role": "assistant", "content": "Hi", "reasoning_content": "hm", "thinking_blocks": [thought]}
    question = {"role": "user", "content": 'What are "thinking_blocks"?'}
    body = _body(provider, make_deployment(), make_call(messages=[answer, question]))
    del answer["thinking_blocks"]
    assert body["messages"] == [answer, question]


def test_numbers_keep_their_digits(
    provider: OpenAICompatibleProvider, make_deployment: MakeDeployment
) -> None:
    raw = b'{"model":"public-name","messages":[],"seed":12345678901234567890123,"temperature":0.70}'
    prepared = provider.prepare(
        make_deployment(), Call("chat_completions", "public-name", raw), max_output_tokens=1
    )
    assert b'"seed":12345678901234567890123,"temperature":0.70' in prepared.body


@pytest.mark.parametrize(
    ("operation", "path"),
    [("chat_completions", "/chat/completions"), ("embeddings", "/embeddings"), ("responses", "/responses")],
)
def test_each_api_has_its_path(
    provider: OpenAICompatibleProvider,
    make_call: MakeCall,
    make_deployment: MakeDeployment,
    operation: str,
    path: str,
) -> None:
    prepared = provider.prepare(make_deployment(), make_call(operation), max_output_tokens=1)
    assert prepared.url == "https://provider.example.com/v1" + path


def test_streams_are_asked_for_their_usage(
    provider: OpenAICompatibleProvider, make_call: MakeCall, make_deployment: MakeDeployment
) -> None:
    call = make_call(
        messages=[], stream=True, stream_options={"include_usage": False, "include_obfuscation": False}
    )
    body = _body(provider, make_deployment(), call)
    assert body["stream_options"] == {"include_usage": True, "include_obfuscation": False}


@pytest.mark.parametrize("options", [None, "absent"])
def test_streams_without_options_are_asked_for_their_usage(
    provider: OpenAICompatibleProvider, make_call: MakeCall, make_deployment: MakeDeployment, options: object
) -> None:
    given = {} if options == "absent" else {"stream_options": options}
    body = _body(provider, make_deployment(), make_call(messages=[], stream=True, **given))
    assert body["stream_options"] == {"include_usage": True}


def test_stream_options_that_are_no_object_are_refused(
    provider: OpenAICompatibleProvider, make_call: MakeCall, make_deployment: MakeDeployment
) -> None:
    call = make_call(messages=[], stream=True, stream_options=[1])
    with pytest.raises(GatewayError) as caught:
        provider.prepare(make_deployment(), call, max_output_tokens=1)
    assert (caught.value.status, caught.value.param) == (400, "stream_options")


def test_whole_answers_and_responses_get_no_stream_options(
    provider: OpenAICompatibleProvider, make_call: MakeCall, make_deployment: MakeDeployment
) -> None:
    assert "stream_options" not in _body(provider, make_deployment(), make_call(messages=[]))
    assert "stream_options" not in _body(
        provider, make_deployment(), make_call("responses", input="Hi", stream=True)
    )


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("authorization", "Bearer key-of-the-provider-1234567890"),
        ("api-key", "key-of-the-provider-1234567890"),
    ],
)
def test_the_key_is_in_the_providers_header(
    provider: OpenAICompatibleProvider,
    make_call: MakeCall,
    make_deployment: MakeDeployment,
    header: str,
    value: str,
) -> None:
    prepared = provider.prepare(make_deployment(api_key_header=header), make_call(), max_output_tokens=1)
    assert prepared.headers == {"content-type": "application/json", header: value}


def test_a_provider_without_a_key_gets_none(
    provider: OpenAICompatibleProvider, make_call: MakeCall, make_deployment: MakeDeployment
) -> None:
    prepared = provider.prepare(make_deployment(api_key_secret=None), make_call(), max_output_tokens=1)
    assert prepared.headers == {"content-type": "application/json"}


def test_a_missing_key_fails_the_deployment(
    provider: OpenAICompatibleProvider,
    keys: Any,
    make_call: MakeCall,
    make_deployment: MakeDeployment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def current(secret_id: str) -> str:
        raise ProviderKeyError(f"no API key from the secret {secret_id}: it is not there")

    monkeypatch.setattr(keys, "current", current)
    with pytest.raises(GatewayError) as caught:
        provider.prepare(make_deployment(), make_call(), max_output_tokens=1)
    assert (caught.value.status, caught.value.code) == (502, "upstream_credentials")
    assert "gatehouse/test/provider" in (caught.value.detail or "")
    assert "gatehouse" not in caught.value.message


@pytest.mark.parametrize("status", [400, 401])
def test_a_refused_key_is_told_to_the_keys(
    provider: OpenAICompatibleProvider,
    keys: Any,
    make_call: MakeCall,
    make_deployment: MakeDeployment,
    status: int,
) -> None:
    prepared = provider.prepare(make_deployment(), make_call(), max_output_tokens=1)
    error = prepared.read_error(
        status, {}, msgspec.json.encode({"error": {"message": f"Incorrect API key provided: {keys.key}"}})
    )
    assert keys.refused == ["gatehouse/test/provider"]
    assert (error.status, error.code) == (502, "upstream_credentials")
    assert keys.key not in f"{error.message}{error.detail}"


def test_the_catalog_says_what_a_provider_can_do(
    provider: OpenAICompatibleProvider, make_deployment: MakeDeployment
) -> None:
    assert provider.operations(make_deployment()) == {"chat_completions", "embeddings"}
    assert provider.operations(make_deployment(apis=["responses"])) == {"responses"}
