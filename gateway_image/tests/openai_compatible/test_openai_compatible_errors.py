"""What callers are told of a provider's errors, and what only the log is."""

import json
import time
from email.utils import formatdate
from typing import Any

import pytest

from gateway.providers.openai_compatible.errors import error_from_response
from gateway.providers.openai_compatible.retry_after import retry_after_seconds


def _openai(message: str = "It went wrong", **fields: Any) -> bytes:
    error = {"message": message, "type": "some_type", "param": None, "code": None, **fields}
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("status", "expected", "code"),
    [
        (401, 502, "upstream_credentials"),
        (402, 502, "upstream_access_denied"),
        (403, 502, "upstream_access_denied"),
        (404, 502, "upstream_model_not_found"),
        (429, 429, "rate_limit_exceeded"),
        (408, 504, "upstream_timeout"),
        (500, 502, "upstream_error"),
        (502, 502, "upstream_error"),
        (503, 503, "upstream_unavailable"),
        (504, 504, "upstream_timeout"),
        (529, 503, "upstream_unavailable"),
        (302, 502, "upstream_error"),
        (409, 502, "upstream_error"),
    ],
)
def test_statuses(status: int, expected: int, code: str) -> None:
    error = error_from_response(status, {}, _openai("Secret words about an account"))
    assert (error.status, error.code) == (expected, code)
    assert "Secret words" not in error.message
    assert f"status {status}: some_type" in (error.detail or "")


@pytest.mark.parametrize("status", [400, 413, 422])
def test_the_callers_fault_is_told_with_the_providers_words(status: int) -> None:
    body = _openai("messages.0 is wrong", param="messages", code="invalid_value")
    error = error_from_response(status, {}, body)
    assert (error.status, error.type, error.param, error.code) == (
        status,
        "invalid_request_error",
        "messages",
        "invalid_value",
    )
    assert "messages.0 is wrong" in error.message
    assert error.detail is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"object": "error", "message": "too long", "type": "BadRequestError", "code": 400}, "too long"),
        ({"detail": [{"loc": ["body"], "msg": "field required"}]}, "field required"),
        ({"detail": "not good"}, "not good"),
        ([{"error": {"code": 400, "message": "API not enabled", "status": "INVALID"}}], "API not enabled"),
        ({"error": "just text"}, "just text"),
        ({"message": {"deeply": "odd"}}, "odd"),
    ],
)
def test_other_forms_of_errors_are_read(body: object, told: str) -> None:
    error = error_from_response(400, {}, json.dumps(body).encode())
    assert told in error.message
    assert error.code == "invalid_request"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"5", b'{"error":null}', b"\xff", b"[" * 100_000])
def test_bodies_without_an_error_are_told_by_their_status(body: bytes) -> None:
    assert "status 400" in error_from_response(400, {}, body).message
    assert error_from_response(500, {}, body).status == 502


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop",
        "org-AbCdEf123456",
        "Bearer abcdef123456",
        "arn:aws:iam::111122223333:role/gateway",
        "111122223333",
        "the-very-key-of-the-gateway",
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_no_key_and_no_account_is_shown(secret: str, status: int) -> None:
    error = error_from_response(
        status, {}, _openai(f"Your {secret} is not allowed"), key="the-very-key-of-the-gateway"
    )
    assert secret not in f"{error.message} {error.detail}"


def test_a_key_that_is_refused_with_status_400_is_not_the_callers_fault() -> None:
    refused = {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID"}
    error = error_from_response(400, {}, json.dumps([{"error": refused}]).encode())
    assert (error.status, error.code) == (502, "upstream_credentials")
    quoted = error_from_response(400, {}, _openai("Cannot read 'API key not valid' in messages[0]"))
    assert quoted.status == 400


def test_ordinary_words_are_not_hidden() -> None:
    told = "user-provided key-value pairs: the project-wide org-unit is unknown"
    assert told in error_from_response(400, {}, _openai(told)).message


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_quote_a_prompt_is_not_logged(status: int) -> None:
    assert "my prompt" not in (error_from_response(status, {}, _openai("my prompt")).detail or "")


def test_a_spent_account_is_no_momentary_limit() -> None:
    error = error_from_response(429, {"retry-after": "5"}, _openai(code="insufficient_quota"))
    assert (error.status, error.code) == (502, "upstream_access_denied")


def test_when_to_come_back_is_told() -> None:
    assert error_from_response(429, {"retry-after": "7"}, _openai()).retry_after_seconds == 7
    assert error_from_response(503, {"retry-after": "7"}, _openai()).retry_after_seconds == 7


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "12"}, 12),
        ({"retry-after": "1.2"}, 2),
        ({"retry-after": "0"}, 0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 2),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20ms"}, 1),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1h2m3.5s"}, 3724),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "3s",
                "x-ratelimit-remaining-tokens": "100",
                "x-ratelimit-reset-tokens": "50s",
            },
            3,
        ),
        ({"x-ratelimit-reset": "30"}, 30),
        ({}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e300"}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "tomorrow"}, None),
    ],
)
def test_the_time_to_wait(headers: dict[str, str], seconds: int | None) -> None:
    assert retry_after_seconds(headers) == seconds


def test_the_time_to_wait_from_a_date() -> None:
    waits = retry_after_seconds({"retry-after": formatdate(time.time() + 30, usegmt=True)})
    assert waits in range(28, 32)
    assert retry_after_seconds({"retry-after": formatdate(time.time() - 30, usegmt=True)}) == 0
    assert retry_after_seconds({"x-ratelimit-reset": str(time.time() + 40)}) in range(39, 42)
