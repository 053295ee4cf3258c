"""Converse's responses as chat completions."""

import json
import time
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from gateway.errors import GatewayError
from gateway.openai.chat import decode_chat_request
from gateway.providers import Usage
from gateway.providers.bedrock.converse_response import to_chat_completion

Json = dict[str, Any]


def converse(
    *blocks: Json, stop_reason: str = "end_turn", usage: Json | None = None, **fields: object
) -> bytes:
    response = {
        "output": {"message": {"role": "assistant", "content": list(blocks)}},
        "stopReason": stop_reason,
        "usage": usage or {"inputTokens": 10, "outputTokens": 4, "totalTokens": 14},
        "metrics": {"latencyMs": 12},
        **fields,
    }
    return json.dumps(response).encode()


def translated(body: bytes) -> tuple[ChatCompletion, Usage]:
    completion, usage = to_chat_completion(body, model="m")
    return ChatCompletion.model_validate_json(completion, strict=True), usage


def test_text() -> None:
    completion, usage = translated(converse({"text": "Hello "}, {"text": "wörld"}))
    assert completion.id.startswith("chatcmpl-")
    assert completion.id != translated(converse({"text": "x"}))[0].id
    assert abs(completion.created - time.time()) < 5
    assert completion.model == "m"
    [choice] = completion.choices
    assert (choice.index, choice.finish_reason, choice.message.content) == (0, "stop", "Hello wörld")
    assert choice.message.tool_calls is None
    assert usage == Usage(input_tokens=10, output_tokens=4)


def test_tool_calls_carry_their_arguments_as_json() -> None:
    arguments = {"city": "Zürich", "days": [1, 2.5, None], "big": 2**70}
    completion, _ = translated(
        converse(
            {"toolUse": {"toolUseId": "t1", "name": "weather", "input": arguments}},
            {"toolUse": {"toolUseId": "t2", "name": "now", "input": {}}},
            stop_reason="tool_use",
        )
    )
    [choice] = completion.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    calls = [call for call in choice.message.tool_calls or [] if call.type == "function"]
    assert [(call.id, call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        ("t1", "weather", arguments),
        ("t2", "now", {}),
    ]


def test_reasoning_and_citations() -> None:
    completion, _ = translated(
        converse(
            {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "abc"}}},
            {"reasoningContent": {"redactedContent": "AAAA"}},
            {"citationsContent": {"content": [{"text": "It is so."}], "citations": [{"title": "Book"}]}},
        )
    )
    message = completion.choices[0].message.model_dump()
    assert message["reasoning_content"] == "Hm"
    assert message["thinking_blocks"] == [
        {"type": "thinking", "thinking": "Hm", "signature": "abc"},
        {"type": "redacted_thinking", "data": "AAAA"},
    ]
    assert message["content"] == "It is so."


def test_reasoning_without_a_signature_is_nothing_to_send_back() -> None:
    completion, _ = translated(converse({"reasoningContent": {"reasoningText": {"text": "Hm"}}}))
    message = completion.choices[0].message.model_dump()
    assert message["reasoning_content"] == "Hm"
    assert "thinking_blocks" not in message


def test_an_empty_answer_is_empty_text() -> None:
    completion, _ = translated(converse(stop_reason="max_tokens"))
    assert completion.choices[0].message.content == ""


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("a_reason_of_tomorrow", "stop"),
    ],
)
def test_finish_reasons(stop_reason: str, finish_reason: str) -> None:
    completion, _ = translated(converse({"text": "x"}, stop_reason=stop_reason))
    assert completion.choices[0].finish_reason == finish_reason


@pytest.mark.parametrize("stop_reason", ["malformed_model_output", "malformed_tool_use"])
def test_malformed_output_is_an_error_not_an_answer(stop_reason: str) -> None:
    with pytest.raises(GatewayError) as caught:
        translated(converse({"text": "x"}, stop_reason=stop_reason))
    assert (caught.value.status, caught.value.code) == (502, "upstream_model_error")
    # What it cost is not lost with it.
    assert caught.value.usage == Usage(input_tokens=10, output_tokens=4)


def test_cached_tokens_are_part_of_the_prompt() -> None:
    counts = {
        "inputTokens": 10,
        "outputTokens": 4,
        "totalTokens": 317,
        "cacheReadInputTokens": 300,
        "cacheWriteInputTokens": 3,
    }
    completion, usage = translated(converse({"text": "x"}, usage=counts))
    assert usage == Usage(input_tokens=10, output_tokens=4, cache_read_tokens=300, cache_write_tokens=3)
    told = completion.usage
    assert told is not None
    assert (told.prompt_tokens, told.completion_tokens, told.total_tokens) == (313, 4, 317)
    assert told.prompt_tokens_details is not None
    assert told.prompt_tokens_details.cached_tokens == 300
    assert told.prompt_tokens_details.cache_write_tokens == 3


def test_the_service_tier_is_told() -> None:
    assert translated(converse({"text": "x"}, serviceTier={"type": "flex"}))[0].service_tier == "flex"
    assert translated(converse({"text": "x"}, serviceTier={"type": "reserved"}))[0].service_tier is None


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b"[]", b'{"output": {"message": {"content": 1}}}', b'"\xff"']
)
def test_an_answer_that_cannot_be_read_is_a_bad_gateway(body: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        translated(body)
    assert (caught.value.status, caught.value.code) == (502, "upstream_invalid_response")


def test_clients_can_send_the_message_back() -> None:
    body, _ = to_chat_completion(
        converse(
            {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "abc"}}},
            {"reasoningContent": {"redactedContent": "AAAA"}},
            {"text": "Let me look."},
            {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {}}},
            stop_reason="tool_use",
        ),
        model="m",
    )
    message = json.loads(body)["choices"][0]["message"]
    decode_chat_request(json.dumps({"model": "m", "messages": [message]}).encode())
    dumped = ChatCompletion.model_validate_json(body).choices[0].message.model_dump()
    decode_chat_request(json.dumps({"model": "m", "messages": [dumped]}).encode())


def test_what_is_written_to_the_cache_for_an_hour_is_told_apart() -> None:
    counts = {"inputTokens": 1, "outputTokens": 2, "totalTokens": 13, "cacheWriteInputTokens": 10}
    told = [{"ttl": "1h", "inputTokens": 7}, {"ttl": "5m", "inputTokens": 3}]
    _, usage = translated(converse({"text": "x"}, usage=counts | {"cacheDetails": told}))
    assert usage == Usage(input_tokens=1, output_tokens=2, cache_write_tokens=10, cache_write_1h_tokens=7)


@pytest.mark.parametrize(
    "told", ["", 1, [1], [{"ttl": "1h"}], {"1h": 7}, [{"ttl": 1, "inputTokens": 7}], None]
)
def test_malformed_details_of_the_cache_do_not_spoil_an_answer(told: object) -> None:
    counts = {"inputTokens": 1, "outputTokens": 2, "totalTokens": 13, "cacheWriteInputTokens": 10}
    _, usage = translated(converse({"text": "x"}, usage=counts | {"cacheDetails": told}))
    assert usage == Usage(input_tokens=1, output_tokens=2, cache_write_tokens=10)


def test_an_answer_that_cannot_be_read_has_been_paid_for() -> None:
    body = json.dumps(
        {"output": {}, "stopReason": "end_turn", "usage": {"inputTokens": 8, "outputTokens": 2}}
    )
    with pytest.raises(GatewayError) as caught:
        to_chat_completion(body.encode(), model="m")
    assert caught.value.code == "upstream_invalid_response"
    assert caught.value.usage == Usage(input_tokens=8, output_tokens=2)
