"""Answers of InvokeModel and CountTokens on their way to the caller."""

import json
from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.providers import Usage
from gateway.providers.bedrock.anthropic_message import read_message, read_token_count

MESSAGE: dict[str, Any] = {
    "id": "msg_bdrk_01",
    "model": "claude-haiku-4-5-20251001",
    "type": "message",
    "role": "assistant",
    "content": [
        {"type": "thinking", "thinking": "So:", "signature": "c2ln"},
        {"type": "text", "text": 'She said "model": "x"', "citations": None},
    ],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 7,
        "cache_creation_input_tokens": None,
        "cache_read_input_tokens": 90,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 5,
        "service_tier": "standard",
    },
    "amazon-bedrock-guardrailAction": "NONE",
}


def test_an_answer_is_the_models_own_but_for_its_name() -> None:
    body, usage = read_message(json.dumps(MESSAGE).encode(), model="claude")
    assert json.loads(body) == MESSAGE | {"model": "claude"}
    assert list(json.loads(body)) == list(MESSAGE)
    assert usage == Usage(input_tokens=7, output_tokens=5, cache_read_tokens=90)


def test_writes_to_the_cache_and_thinking_are_told_apart() -> None:
    told = {
        "input_tokens": 1,
        "cache_creation_input_tokens": 10,
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6},
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 5},
    }
    _, usage = read_message(json.dumps(MESSAGE | {"usage": told}).encode(), model="claude")
    assert usage == Usage(
        input_tokens=1,
        cache_write_tokens=10,
        cache_write_1h_tokens=6,
        output_tokens=9,
        reasoning_tokens=5,
    )


@pytest.mark.parametrize("details", ["", 1, [], {"ephemeral_1h_input_tokens": "x", "thinking_tokens": -1}])
def test_malformed_details_do_not_spoil_an_answer(details: object) -> None:
    told = {
        "input_tokens": 1,
        "cache_creation_input_tokens": 10,
        "cache_creation": details,
        "output_tokens": 9,
        "output_tokens_details": details,
    }
    _, usage = read_message(json.dumps(MESSAGE | {"usage": told}).encode(), model="claude")
    assert usage == Usage(input_tokens=1, cache_write_tokens=10, output_tokens=9)


NO_MESSAGES = [b"", b"{", b"[]", b"{}", b'{"usage": 1}', b'{"usage": {"input_tokens": "7"}}', b"\xff\xfe"]
ENDLESS = b'{"a":' * 9999


@pytest.mark.parametrize("body", [*NO_MESSAGES, ENDLESS])
def test_an_answer_that_is_no_message(body: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        read_message(body, model="claude")
    assert (caught.value.status, caught.value.code) == (502, "upstream_invalid_response")


def test_a_count_of_tokens() -> None:
    assert read_token_count(b'{"inputTokens": 42}') == (b'{"input_tokens":42}', None)
    for body in (b"{}", b'{"inputTokens": "42"}', b"\xff"):
        with pytest.raises(GatewayError) as caught:
            read_token_count(body)
        assert caught.value.status == 502


def test_what_a_guardrail_says_instead_is_an_answer() -> None:
    # As Bedrock sends it when a guardrail stops the prompt: no ID, no reason, no usage.
    blocked = {
        "amazon-bedrock-guardrailAction": "INTERVENED",
        "content": [{"type": "text", "text": "We do not talk about that."}],
        "role": "assistant",
        "type": "message",
    }
    body, usage = read_message(json.dumps(blocked).encode(), model="claude")
    message = json.loads(body)
    assert message.pop("id").startswith("msg_")
    assert message == blocked | {
        "model": "claude",
        "stop_reason": "refusal",
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }
    assert usage == Usage()


def test_an_answer_that_a_guardrail_stopped_keeps_what_the_model_told() -> None:
    stopped = MESSAGE | {"amazon-bedrock-guardrailAction": "INTERVENED"}
    body, usage = read_message(json.dumps(stopped).encode(), model="claude")
    assert json.loads(body) == stopped | {"model": "claude"}
    assert usage.output_tokens == 5
