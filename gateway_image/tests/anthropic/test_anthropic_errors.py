"""Errors in Anthropic's shape."""

import json

import pytest

from gateway.anthropic.errors import error_body, error_event
from gateway.errors import GatewayError, provider_error
from gateway.providers.bedrock.anthropic_errors import count_error, message_error


@pytest.mark.parametrize(
    ("status", "type_"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (408, "timeout_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
    ],
)
def test_the_type_follows_from_the_status(status: int, type_: str) -> None:
    error = GatewayError(status, "No.", type="whatever", code="whatever", param="a.b")
    assert json.loads(error_body(error, "req_1")) == {
        "type": "error",
        "error": {"type": type_, "message": "No."},
        "request_id": "req_1",
    }


def test_in_a_stream_it_is_an_event_of_its_own() -> None:
    error = GatewayError(502, "Two\nlines.", type="api_error")
    name, data = error_event(error, "req_1").decode().removesuffix("\n\n").split("\n")
    assert name == "event: error"
    assert json.loads(data.removeprefix("data: "))["error"] == {"type": "api_error", "message": "Two\nlines."}


def test_a_prompt_that_does_not_fit_is_told_in_the_words_clients_wait_for() -> None:
    error = GatewayError(400, "Input is too long.", type="x", code="context_length_exceeded")
    assert json.loads(error_body(error, "r"))["error"]["message"] == "prompt is too long: Input is too long."
    error.message = "The model refused the request: prompt is too long: 9 tokens > 8 maximum"
    assert json.loads(error_body(error, "r"))["error"]["message"] == error.message


def test_a_model_out_of_reach_is_overloaded_whatever_the_status() -> None:
    error = provider_error("Try again.", code="upstream_unavailable", status=502)
    assert json.loads(error_body(error, "r"))["error"]["type"] == "overloaded_error"


def refusal(message: str) -> bytes:
    return json.dumps({"message": message}).encode()


def test_beta_flags_that_a_model_does_not_know_are_named() -> None:
    headers = {"x-amzn-errortype": "ValidationException"}
    error = message_error(400, headers, refusal("invalid beta flag"), betas=["a-1", "b-2"])
    assert (error.status, error.code, error.param) == (400, "invalid_beta_flag", "anthropic_beta")
    assert "a-1, b-2" in error.message
    other = message_error(400, headers, refusal("thinking: no"), betas=["a-1"])
    assert "thinking: no" in other.message
    assert message_error(429, {}, b"", betas=[]).status == 429


def test_a_model_whose_tokens_bedrock_does_not_count() -> None:
    headers = {"x-amzn-errortype": "ValidationException"}
    error = count_error(400, headers, refusal("The provided model doesn't support counting tokens."))
    assert (error.status, error.code) == (404, "operation_not_supported")
    assert count_error(400, headers, refusal("messages: no")).status == 400
