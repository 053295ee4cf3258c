"""Answers that come in one piece."""

import json
from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.providers import Usage
from gateway.providers.openai_compatible.whole_answers import (
    read_chat_completion,
    read_embeddings,
    read_response,
)

CHAT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "their-model",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}},
    "vendor_field": {"kept": True},
}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_an_answer_is_forwarded_under_the_callers_name_for_the_model(separators: tuple[str, str]) -> None:
    body = json.dumps(CHAT, separators=separators).encode()
    answer, usage = read_chat_completion(body, model="public-name")
    assert json.loads(answer) == CHAT | {"model": "public-name"}
    assert usage == Usage(input_tokens=4, cache_read_tokens=8, output_tokens=3)


def test_a_nested_field_of_the_same_name_is_left_alone() -> None:
    body = json.dumps({"vendor": {"model": "other"}, **CHAT}).encode()
    assert json.loads(read_chat_completion(body, model="public-name")[0])["vendor"] == {"model": "other"}


def test_embeddings_are_forwarded() -> None:
    told = {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": "AACAPw=="}],
        "model": "their-model",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }
    answer, usage = read_embeddings(json.dumps(told).encode(), model="public-name")
    assert json.loads(answer) == told | {"model": "public-name"}
    assert usage == Usage(input_tokens=5)


def test_responses_are_forwarded() -> None:
    told = {
        "id": "resp_1",
        "model": "their-model",
        "output": [],
        "usage": {"input_tokens": 5, "output_tokens": 1},
    }
    answer, usage = read_response(json.dumps(told).encode(), model="public-name")
    assert json.loads(answer) == told | {"model": "public-name"}
    assert usage == Usage(input_tokens=5, output_tokens=1)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": -1.5},
        {"prompt_tokens": -1},
        {"prompt_tokens": "12"},
        "none",
        {"completion_tokens": 3},
    ],
)
def test_an_answer_without_proper_usage_is_an_answer(usage: object) -> None:
    answer, told = read_chat_completion(json.dumps(CHAT | {"usage": usage}).encode(), model="public-name")
    assert json.loads(answer)["choices"] == CHAT["choices"]
    assert told is None


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"choices":5}', bytes(range(256)), b'{"choices":[', b"[" * 100_000],
)
def test_what_is_no_answer_is_the_providers_fault(body: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        read_chat_completion(body, model="public-name")
    assert (caught.value.status, caught.value.code) == (502, "upstream_invalid_response")


def test_an_error_with_status_200_is_an_error() -> None:
    told = {"error": {"message": "slow down", "type": "rate_limit_error"}}
    with pytest.raises(GatewayError) as caught:
        read_chat_completion(json.dumps(told).encode(), model="public-name")
    assert caught.value.status == 429


@pytest.mark.parametrize("error", [{"code": "server_error", "message": "broke"}, None])
def test_a_failed_or_incomplete_response_tells_its_usage(error: object) -> None:
    told = {
        "status": "failed" if error else "incomplete",
        "output": [],
        "error": error,
        "usage": {
            "input_tokens": 50,
            "input_tokens_details": {
                "cached_tokens": 10,
                "cache_write_tokens": 20,
                "cache_write_tokens_details": {"ttl_30m_tokens": 5, "ttl_12h_tokens": 15},
            },
            "output_tokens": 9,
            "output_tokens_details": {"reasoning_tokens": 9},
        },
    }
    try:
        _, usage = read_response(json.dumps(told).encode(), model="public-name")
    except GatewayError as failure:
        usage = failure.usage
    assert usage == Usage(
        input_tokens=20,
        cache_read_tokens=10,
        cache_write_tokens=20,
        cache_write_1h_tokens=15,
        output_tokens=9,
        reasoning_tokens=9,
    )


def test_an_answer_that_cannot_be_read_has_been_paid_for() -> None:
    body = json.dumps(CHAT | {"choices": 5}).encode()
    with pytest.raises(GatewayError) as caught:
        read_chat_completion(body, model="public-name")
    assert caught.value.usage == Usage(input_tokens=4, cache_read_tokens=8, output_tokens=3)


@pytest.mark.parametrize("details", ["many", 7, [], {"reasoning_tokens": "1"}, {"reasoning_tokens": -1}])
def test_malformed_details_do_not_spoil_the_counts(details: object) -> None:
    usage = {"prompt_tokens": 12, "completion_tokens": 3}
    odd = {"prompt_tokens_details": details, "completion_tokens_details": details}
    _, told = read_chat_completion(json.dumps(CHAT | {"usage": usage | odd}).encode(), model="public-name")
    assert told == Usage(input_tokens=12, output_tokens=3)


def test_reasoning_is_part_of_the_output() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 5}}
    _, told = read_chat_completion(json.dumps(CHAT | {"usage": usage}).encode(), model="public-name")
    assert told == Usage(input_tokens=1, output_tokens=3, reasoning_tokens=3)


@pytest.mark.parametrize(
    ("total", "output"), [(331, 319), (14, 2), (5, 2), (0, 2), (-1, 2), ("331", 2), (None, 2), (2**64, 2)]
)
def test_what_only_the_total_counts_is_output_too(total: object, output: int) -> None:
    """As with Gemini and xAI, whose completion_tokens leave reasoning out."""
    usage = {"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": total}
    odd = {"completion_tokens_details": {"reasoning_tokens": 317}}
    _, told = read_chat_completion(json.dumps(CHAT | {"usage": usage | odd}).encode(), model="public-name")
    assert told == Usage(input_tokens=12, output_tokens=output, reasoning_tokens=min(317, output))
