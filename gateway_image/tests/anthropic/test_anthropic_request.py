"""Requests to the Messages API on their way to InvokeModel and CountTokens."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.anthropic.messages import decode_count_tokens_envelope, decode_messages_envelope
from gateway.call import Call
from gateway.catalog import Guardrail
from gateway.errors import GatewayError
from gateway.providers.bedrock.anthropic_betas import betas_for_bedrock
from gateway.providers.bedrock.anthropic_request import (
    betas_of,
    guardrail_headers,
    to_count_tokens,
    to_invoke_model,
)

MakeCall = Callable[..., Call]


def test_every_field_goes_on_as_it_stands_but_what_the_path_says() -> None:
    body = (
        b'{"model": "claude", "stream": true, "max_tokens": 64, "temperature": 1.10,'
        b' "top_k": 12345678901234567890, "tomorrow": {"x" : [1e400]},'
        b' "messages": [{"role": "user", "content": "Gr\\u00fc\\u00df"}]}'
    )
    sent = to_invoke_model(Call("messages", "claude", body, stream=True), [])
    fields = Call("messages", "", sent).fields
    assert list(fields) == ["max_tokens", "temperature", "top_k", "tomorrow", "messages", "anthropic_version"]
    assert bytes(fields["temperature"]) == b"1.10"
    assert bytes(fields["top_k"]) == b"12345678901234567890"
    assert bytes(fields["messages"]) == b'[{"role": "user", "content": "Gr\\u00fc\\u00df"}]'
    assert bytes(fields["tomorrow"]) == b'{"x" : [1e400]}'
    assert bytes(fields["anthropic_version"]) == b'"bedrock-2023-05-31"'


def test_a_version_in_the_body_is_bedrocks(make_call: MakeCall) -> None:
    sent = json.loads(to_invoke_model(make_call(anthropic_version="2023-06-01"), []))
    assert sent["anthropic_version"] == "bedrock-2023-05-31"


def test_betas_from_header_and_body_are_merged(make_call: MakeCall) -> None:
    call = make_call(
        {"anthropic-beta": "context-1m-2025-08-07, interleaved-thinking-2025-05-14,claude-code-20250219"},
        anthropic_beta=["brand-new-2027-01-01", "context-1m-2025-08-07"],
    )
    sent = json.loads(to_invoke_model(call, betas_of(call)))
    assert sent["anthropic_beta"] == [
        "context-1m-2025-08-07",
        "interleaved-thinking-2025-05-14",
        "brand-new-2027-01-01",
    ]


def test_without_betas_there_is_no_such_field(make_call: MakeCall) -> None:
    call = make_call({"anthropic-beta": "oauth-2025-04-20"})
    assert "anthropic_beta" not in json.loads(to_invoke_model(call, betas_of(call)))


@pytest.mark.parametrize(
    ("header", "flags"),
    [
        (None, []),
        ("", []),
        (" ,context-1m-2025-08-07, ,", ["context-1m-2025-08-07"]),
        ("advanced-tool-use-2025-11-20", ["tool-search-tool-2025-10-19"]),
        ("advanced-tool-use-2025-11-20,tool-search-tool-2025-10-19", ["tool-search-tool-2025-10-19"]),
        ("claude-code-20250219,oauth-2025-04-20,prompt-caching-scope-2026-01-05", []),
    ],
)
def test_of_a_header_bedrock_gets_what_it_knows(header: str | None, flags: list[str]) -> None:
    assert betas_for_bedrock(header, None) == flags


@pytest.mark.parametrize("given", ["context-1m-2025-08-07", None, [1], {}])
def test_betas_in_the_body_must_be_a_list_of_text(make_call: MakeCall, given: Any) -> None:
    with pytest.raises(GatewayError, match="anthropic_beta") as caught:
        betas_of(make_call(anthropic_beta=given))
    assert (caught.value.status, caught.value.param) == (400, "anthropic_beta")


def test_a_prompt_to_count_needs_no_limit_of_output(make_call: MakeCall) -> None:
    body = json.dumps({"model": "claude", "messages": [], "system": "Be kind"}).encode()
    sent = json.loads(to_count_tokens(Call("count_tokens", "claude", body), ["effort-2025-11-24"]))
    assert json.loads(base64.b64decode(sent["input"]["invokeModel"]["body"])) == {
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["effort-2025-11-24"],
        "max_tokens": 1,
        "messages": [],
        "system": "Be kind",
    }
    limited = json.loads(to_count_tokens(make_call(max_tokens=7), []))
    assert json.loads(base64.b64decode(limited["input"]["invokeModel"]["body"]))["max_tokens"] == 7


def test_a_guardrail_is_named_in_headers() -> None:
    assert guardrail_headers(None) == {}
    assert guardrail_headers(Guardrail(identifier="gr1a2b3c", version="3")) == {
        "x-amzn-bedrock-guardrailidentifier": "gr1a2b3c",
        "x-amzn-bedrock-guardrailversion": "3",
    }


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"model": "claude", "messages": []}', "max_tokens"),
        (b'{"max_tokens": 1, "messages": []}', "model"),
        (b'{"model": "claude", "max_tokens": "many"}', "max_tokens"),
        (b'{"model": "claude", "max_tokens": -1}', "max_tokens"),
        (b'{"model": 7, "max_tokens": 1}', "model"),
        (b'{"model": "claude", "max_tokens": 1, "stream": "yes"}', "stream"),
        (b"[]", None),
        (b"{", None),
        (b'{"model": "\xff", "max_tokens": 1}', None),
    ],
)
def test_what_the_gateway_needs_is_asked_for_by_name(body: bytes, param: str | None) -> None:
    with pytest.raises(GatewayError) as caught:
        decode_messages_envelope(body)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_to_count_a_model_is_enough() -> None:
    assert decode_count_tokens_envelope(b'{"model": "claude", "max_tokens": null}').model == "claude"


@pytest.mark.parametrize(
    ("thinking", "limit"),
    [
        ({"type": "enabled", "budget_tokens": 10_000}, 10_001),
        ({"type": "adaptive"}, 1),
        ({"type": "enabled", "budget_tokens": "many"}, 1),
        ({"type": "enabled", "budget_tokens": 2**70}, 1),
        (None, 1),
    ],
)
def test_a_prompt_to_count_may_ask_for_thinking(thinking: Any, limit: int) -> None:
    body = json.dumps({"model": "claude", "messages": [], "thinking": thinking}).encode()
    sent = json.loads(to_count_tokens(Call("count_tokens", "claude", body), []))
    counted = json.loads(base64.b64decode(sent["input"]["invokeModel"]["body"]))
    assert (counted["max_tokens"], counted["thinking"]) == (limit, thinking)


@pytest.mark.parametrize("name", ["amazon-bedrock-guardrailConfig", "Amazon-Bedrock-trace"])
@pytest.mark.parametrize("write", [to_invoke_model, to_count_tokens])
def test_callers_do_not_direct_guardrails(
    make_call: MakeCall, write: Callable[[Call, list[str]], bytes], name: str
) -> None:
    # By this field a caller could have a guardrail look at a part of the prompt only, or too late.
    call = make_call(**{name: {"tagSuffix": "x", "streamProcessingMode": "ASYNCHRONOUS"}})
    with pytest.raises(GatewayError, match="not for callers") as caught:
        write(call, [])
    assert (caught.value.status, caught.value.param) == (400, name)
