"""Bedrock's errors as callers and operators see them."""

import json

import pytest

from gateway.errors import GatewayError
from gateway.providers.bedrock.converse_errors import error_from_exception, error_from_response

ACCOUNT = "123456789012"
ARN = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/us.amazon.nova-lite-v1:0"


def respond(status: int, error_type: str, message: str = "x", **headers: str) -> GatewayError:
    body = json.dumps({"message": message}).encode()
    return error_from_response(status, {"x-amzn-errortype": error_type} | headers, body)


@pytest.mark.parametrize(
    ("status", "error_type", "answered", "type_", "code"),
    [
        (400, "ValidationException", 400, "invalid_request_error", "invalid_request"),
        (
            400,
            "ValidationException:http://internal.amazon.com/coral/",
            400,
            "invalid_request_error",
            "invalid_request",
        ),
        (400, "SerializationException", 400, "invalid_request_error", "invalid_request"),
        (413, "RequestEntityTooLargeException", 400, "invalid_request_error", "invalid_request"),
        (429, "ThrottlingException", 429, "rate_limit_error", "rate_limit_exceeded"),
        (400, "ServiceQuotaExceededException", 429, "rate_limit_error", "rate_limit_exceeded"),
        (403, "AccessDeniedException", 502, "api_error", "upstream_access_denied"),
        (403, "ExpiredTokenException", 502, "api_error", "upstream_credentials"),
        (403, "InvalidSignatureException", 502, "api_error", "upstream_credentials"),
        (403, "UnrecognizedClientException", 502, "api_error", "upstream_credentials"),
        (404, "ResourceNotFoundException", 502, "api_error", "upstream_model_not_found"),
        (408, "ModelTimeoutException", 504, "api_error", "upstream_timeout"),
        (424, "ModelErrorException", 502, "api_error", "upstream_model_error"),
        (429, "ModelNotReadyException", 503, "api_error", "upstream_unavailable"),
        (500, "InternalServerException", 502, "api_error", "upstream_error"),
        (503, "ServiceUnavailableException", 503, "api_error", "upstream_unavailable"),
        (418, "TeapotException", 502, "api_error", "upstream_error"),
    ],
)
def test_each_error_gets_the_status_that_tells_the_caller_what_to_do(
    status: int, error_type: str, answered: int, type_: str, code: str
) -> None:
    error = respond(status, error_type)
    assert (error.status, error.type, error.code) == (answered, type_, code)


@pytest.mark.parametrize(
    ("status", "answered"),
    [
        (400, 400),
        (401, 502),
        (403, 502),
        (404, 502),
        (413, 400),
        (429, 429),
        (500, 502),
        (502, 502),
        (503, 503),
        (504, 504),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"[]", b'"\xff"'])
def test_an_answer_that_is_not_bedrocks_is_judged_by_its_status(
    status: int, answered: int, body: bytes
) -> None:
    assert error_from_response(status, {}, body).status == answered


def test_the_type_may_stand_in_the_body() -> None:
    body = json.dumps(
        {"__type": "com.amazon.coral.service#ThrottlingException", "Message": "slow down"}
    ).encode()
    error = error_from_response(400, {}, body)
    assert (error.status, error.detail) == (429, "ThrottlingException: slow down")


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7), ("0.2", 1), ("-1", None), ("nan", None), ("inf", None), ("soon", None)]
)
def test_retry_after_is_passed_on(value: str, seconds: int | None) -> None:
    assert respond(429, "ThrottlingException", **{"retry-after": value}).retry_after_seconds == seconds
    assert (
        respond(503, "ServiceUnavailableException", **{"retry-after": value}).retry_after_seconds == seconds
    )


@pytest.mark.parametrize(
    "message",
    [
        "Input is too long for requested model.",
        "The model returned the following errors: prompt is too long: 200049 tokens > 200000 maximum",
        "The model returned the following errors: Input tokens exceed the configured context window",
    ],
)
def test_a_prompt_that_is_too_long_has_openais_code(message: str) -> None:
    error = respond(400, "ValidationException", message)
    assert (error.status, error.param, error.code) == (400, "messages", "context_length_exceeded")


@pytest.mark.parametrize(
    "message",
    [
        "The provided model identifier is invalid.",
        "Invocation of model ID amazon.nova-lite-v1:0 with on-demand throughput isn’t supported.",
        "Operation not allowed",
    ],
)
def test_a_model_that_the_catalog_names_wrongly_is_not_the_callers_fault(message: str) -> None:
    error = respond(400, "ValidationException", message)
    assert (error.status, error.code) == (502, "upstream_model_not_found")


@pytest.mark.parametrize(
    ("status", "error_type"),
    [(403, "AccessDeniedException"), (404, "ResourceNotFoundException")],
)
def test_operators_learn_what_callers_do_not(status: int, error_type: str) -> None:
    told = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/gateway/task is not authorized on {ARN} of {ACCOUNT}."
    error = respond(status, error_type, told)
    assert "arn:" not in error.body().decode()
    assert ACCOUNT not in error.body().decode()
    assert error.detail == f"{error_type}: {told}"


def test_what_the_caller_can_mend_is_told_without_accounts_and_not_logged() -> None:
    error = respond(400, "ValidationException", f"temperature must be at most 1 for {ARN}, in {ACCOUNT}.")
    assert (
        error.message
        == "The model refused the request: temperature must be at most 1 for [hidden], in [hidden]."
    )
    assert error.detail is None


@pytest.mark.parametrize(
    ("error_type", "status"),
    [
        ("internalServerException", 502),
        ("modelStreamErrorException", 502),
        ("validationException", 400),
        ("throttlingException", 429),
        ("serviceUnavailableException", 503),
    ],
)
def test_exceptions_of_the_stream(error_type: str, status: int) -> None:
    assert error_from_exception(error_type, "x").status == status


def test_words_of_a_catalog_problem_within_a_quoted_prompt_are_the_callers_own() -> None:
    error = respond(400, "ValidationException", "messages.0: text 'secret: operation not allowed' is invalid")
    assert (error.status, error.code) == (400, "invalid_request")
    assert error.detail is None


@pytest.mark.parametrize("error_type", ["ModelErrorException", "InternalServerException"])
def test_what_a_model_says_about_its_failure_is_not_logged(error_type: str) -> None:
    assert respond(500, error_type, "failed at 'secret prompt'").detail == error_type
