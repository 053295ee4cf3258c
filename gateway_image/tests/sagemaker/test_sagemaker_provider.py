"""SageMaker endpoints: signed invocations, payload parts, errors."""

import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.aws.credentials import Credentials, CredentialsError
from gateway.call import Call
from gateway.catalog import SageMakerDeployment
from gateway.errors import GatewayError
from gateway.providers import Usage
from gateway.providers.sagemaker.errors import error_from_response
from gateway.providers.sagemaker.provider import SageMakerProvider
from gateway.providers.sagemaker.stream import SageMakerChatStream
from local.bedrock_simulator.event_stream import encode_exception, encode_message
from local.model_endpoint.sagemaker import wrap

STREAM = (
    b'data: {"model":"llm","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
    b'data: {"model":"llm","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'
    b'data: {"model":"llm","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'
    b"data: [DONE]\n\n"
)
EXPECTED = b"".join(STREAM.replace(b'"llm"', b'"public-name"').partition(b"data: [DONE]\n\n")[:2]).replace(
    b'data: {"model":"public-name","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n', b""
)


class _Credentials:
    """Credentials of a test; each role has its own."""

    def current(self, role_arn: str | None) -> Credentials:
        if role_arn == "arn:aws:iam::111122223333:role/denied":
            raise CredentialsError("the role cannot be assumed")
        return Credentials(access_key_id=f"AKID{(role_arn or 'own')[-3:]}", secret_access_key="secret")


def _deployment(**fields: Any) -> SageMakerDeployment:
    usual = {"name": "llm-a", "provider": "sagemaker", "region": "eu-west-1", "endpoint_name": "my-llm"}
    return SageMakerDeployment.model_validate(usual | fields)


def _provider(endpoint_url: str | None = None) -> SageMakerProvider:
    return SageMakerProvider(_Credentials(), endpoint_url)  # type: ignore[arg-type]


def _call(**fields: Any) -> Call:
    body = {"model": "public-name", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return Call(
        "chat_completions", "public-name", json.dumps(body).encode(), stream=bool(fields.get("stream"))
    )


@pytest.mark.parametrize(
    ("stream", "operation"), [(False, "invocations"), (True, "invocations-response-stream")]
)
def test_invocations_are_signed_for_their_region(stream: bool, operation: str) -> None:
    prepared = _provider().prepare(_deployment(), _call(stream=stream), max_output_tokens=1)
    assert prepared.url == f"https://runtime.sagemaker.eu-west-1.amazonaws.com/endpoints/my-llm/{operation}"
    assert "Credential=AKIDown/" in prepared.headers["authorization"]
    assert "/eu-west-1/sagemaker/aws4_request" in prepared.headers["authorization"]
    assert (prepared.open_stream is not None) == stream


def test_an_inference_component_is_named_and_signed() -> None:
    prepared = _provider().prepare(_deployment(inference_component="small"), _call(), max_output_tokens=1)
    assert prepared.headers["x-amzn-sagemaker-inference-component"] == "small"
    assert "x-amzn-sagemaker-inference-component" in prepared.headers["authorization"]


@pytest.mark.parametrize(("model", "sent"), [(None, {}), ("llm", {"model": "llm"})])
def test_the_container_is_told_its_own_name_for_the_model(model: str | None, sent: dict[str, str]) -> None:
    prepared = _provider().prepare(_deployment(model=model), _call(temperature=0.5), max_output_tokens=1)
    assert json.loads(prepared.body) == {
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.5,
        **sent,
    }


def test_the_role_of_a_deployment_signs() -> None:
    deployment = _deployment(role_arn="arn:aws:iam::111122223333:role/access")
    headers = _provider().prepare(deployment, _call(), max_output_tokens=1).headers
    assert "Credential=AKIDess/" in headers["authorization"]


def test_a_role_that_cannot_be_assumed_fails_its_deployment() -> None:
    deployment = _deployment(role_arn="arn:aws:iam::111122223333:role/denied")
    with pytest.raises(GatewayError) as caught:
        _provider().prepare(deployment, _call(), max_output_tokens=1)
    assert (caught.value.status, caught.value.code) == (502, "upstream_credentials")
    assert "role" not in caught.value.message


def _stream() -> SageMakerChatStream:
    return SageMakerChatStream(model="public-name", include_usage=False)


@given(st.lists(st.integers(0, len(STREAM)), max_size=6), st.lists(st.integers(0, 900), max_size=6))
@settings(max_examples=100, deadline=None)
def test_payload_parts_and_packets_may_be_cut_anywhere(parts: list[int], packets: list[int]) -> None:
    wire = b"".join(wrap(piece) for piece in _cut(STREAM, parts))
    stream = _stream()
    assert b"".join(stream.feed(piece) for piece in _cut(wire, packets)) == EXPECTED
    assert stream.complete
    assert stream.usage == Usage(input_tokens=3, output_tokens=1)


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place for place in places if place < len(data)), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@pytest.mark.parametrize(
    ("name", "payload", "status", "code"),
    [
        ("ModelStreamError", {"Message": "x", "ErrorCode": "StreamBroken"}, 502, "upstream_connection_lost"),
        (
            "ModelStreamError",
            {"Message": "x", "ErrorCode": "ModelInvocationTimeExceeded"},
            504,
            "upstream_timeout",
        ),
        ("InternalStreamFailure", {"Message": "x"}, 502, "upstream_connection_lost"),
    ],
)
def test_exceptions_end_the_stream(name: str, payload: Mapping[str, Any], status: int, code: str) -> None:
    stream = _stream()
    output = stream.feed(wrap(STREAM[:200]) + encode_exception(name, payload) + wrap(STREAM[200:]))
    assert output.count(b"data:") == 2
    assert stream.error is not None
    assert (stream.error.status, stream.error.code) == (status, code)
    assert stream.finish() == b""


def test_a_broken_event_stream_is_no_answer() -> None:
    stream = _stream()
    stream.feed(wrap(STREAM)[:-1] + b"\x00" + b"more bytes")
    assert stream.error is not None
    assert stream.error.code == "upstream_invalid_response"


def test_events_of_other_kinds_are_passed_over() -> None:
    other = encode_message({":message-type": "event", ":event-type": "Later"}, b"anything")
    assert _stream().feed(other + wrap(STREAM)) == EXPECTED


@pytest.mark.parametrize(
    ("status", "name", "body", "expected", "code"),
    [
        (
            424,
            "ModelError",
            {
                "OriginalStatusCode": 400,
                "OriginalMessage": '{"error":{"message":"too long","code":"too_long"}}',
            },
            400,
            "too_long",
        ),
        (424, "ModelError", {"OriginalStatusCode": 500, "OriginalMessage": "boom"}, 502, "upstream_error"),
        (424, "ModelError", {"OriginalStatusCode": 503, "OriginalMessage": ""}, 503, "upstream_unavailable"),
        (400, "ValidationError", {"Message": "Endpoint my-llm not found."}, 502, "upstream_model_not_found"),
        (400, "ValidationError", {"Message": "Request 7f3 has oversize body."}, 400, "request_too_large"),
        (400, "ThrottlingException", {"message": "Rate exceeded"}, 429, "rate_limit_exceeded"),
        (429, "ModelNotReadyException", {"Message": "loading"}, 503, "upstream_unavailable"),
        (503, "ServiceUnavailable", {"Message": "x"}, 503, "upstream_unavailable"),
        (500, "InternalFailure", {"Message": "x"}, 502, "upstream_error"),
        (530, "InternalDependencyException", {"Message": "x"}, 502, "upstream_error"),
        (403, "AccessDeniedException", {"Message": "arn:aws:x"}, 502, "upstream_access_denied"),
        (403, "ExpiredTokenException", {"Message": "x"}, 502, "upstream_credentials"),
    ],
)
def test_errors(status: int, name: str, body: Mapping[str, Any], expected: int, code: str) -> None:
    error = error_from_response(status, {"x-amzn-errortype": name}, json.dumps(body).encode())
    assert (error.status, error.code) == (expected, code)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff"])
def test_errors_that_cannot_be_read(body: bytes) -> None:
    assert error_from_response(424, {"x-amzn-errortype": "ModelError"}, body).status == 502
    assert error_from_response(500, {}, body).status == 502
