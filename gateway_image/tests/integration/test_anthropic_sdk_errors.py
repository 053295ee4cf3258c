"""What Anthropic's own client raises when a real gateway process refuses a request or fails."""

import json
from collections.abc import Callable
from typing import Any

import anthropic
import pytest

from local.bedrock_simulator.faults import Cut, Error, Garbage, Hang, RegionDown, SlowFirstByte, StreamError
from local.bedrock_simulator.process import RunningSimulator
from local.bedrock_simulator.replies import Reply

KEY = "key-of-the-test-suite-0123456789abcdef"
ASK: Any = {"model": "claude", "max_tokens": 2000, "messages": [{"role": "user", "content": "hello world"}]}

MakeClient = Callable[..., anthropic.Anthropic]


@pytest.mark.parametrize(
    ("options", "exception", "type_", "says"),
    [
        ({"api_key": "wrong"}, anthropic.AuthenticationError, "authentication_error", "API key"),
        ({"model": "claude-unknown"}, anthropic.NotFoundError, "not_found_error", "claude-unknown"),
        ({"messages": []}, anthropic.BadRequestError, "invalid_request_error", "at least one message"),
        ({"max_tokens": 100_000}, anthropic.BadRequestError, "invalid_request_error", "100000 > 64000"),
        ({"extra_body": {"container": "c"}}, anthropic.BadRequestError, "invalid_request_error", "container"),
        (
            {"extra_body": {"anthropic_beta": ["made-up-2026-01-01"]}},
            anthropic.BadRequestError,
            "invalid_request_error",
            "made-up-2026-01-01",
        ),
        (
            {"messages": [{"role": "user", "content": "word " * 200_001}]},
            anthropic.BadRequestError,
            "invalid_request_error",
            "prompt is too long",
        ),
    ],
)
def test_the_client_raises_what_it_raises_for_anthropic(
    make_anthropic: MakeClient,
    options: dict[str, Any],
    exception: type[anthropic.APIStatusError],
    type_: str,
    says: str,
) -> None:
    request = ASK | options
    key = {"api_key": request.pop("api_key")} if "api_key" in request else {}
    with pytest.raises(exception, match=says) as caught:
        make_anthropic(**key).messages.create(**request, timeout=10)
    assert caught.value.type == type_
    assert caught.value.request_id
    assert caught.value.body["request_id"] == caught.value.request_id  # type: ignore[index]  # the SDK says object


@pytest.fixture(scope="module")
def limited_gateway(start_gateway: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A gateway with a model of another maker, whose caller may ask twice a minute."""
    deployments = [
        {"name": name, "provider": "bedrock", "region": "us-east-1", "model_id": model_id}
        for name, model_id in (
            ("claude", "us.anthropic.claude-haiku-4-5-20251001-v1:0"),
            ("nova", "us.amazon.nova-lite-v1:0"),
        )
    ]
    models = [{"name": deployment["name"], "deployments": [deployment]} for deployment in deployments]
    catalog = tmp_path_factory.mktemp("limited") / "models.json"
    catalog.write_text(json.dumps({"models": models}))
    keys = {"limited": {"key": KEY, "limits": {"requests_per_minute": 2}}, "free": {"key": KEY + "-free"}}
    return start_gateway(models_source=catalog.as_uri(), api_keys=json.dumps(keys))


def test_a_model_of_another_maker(make_anthropic: MakeClient, limited_gateway: Any) -> None:
    client = make_anthropic(base_url=limited_gateway.url, api_key=KEY + "-free")
    with pytest.raises(anthropic.BadRequestError, match="/v1/chat/completions"):
        client.messages.create(**ASK | {"model": "nova"})


def test_a_callers_limit(make_anthropic: MakeClient, limited_gateway: Any) -> None:
    client = make_anthropic(base_url=limited_gateway.url)
    left = [
        client.messages.with_raw_response.create(**ASK).headers["anthropic-ratelimit-requests-remaining"]
        for _ in range(2)
    ]
    assert left == ["1", "0"]
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(**ASK)
    assert caught.value.type == "rate_limit_error"
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 61
    assert caught.value.response.headers["anthropic-ratelimit-requests-limit"] == "2"


def test_a_request_without_a_limit_of_output(gateway: Any) -> None:
    status, _, answer = gateway.request("POST", "/v1/messages", b'{"model": "claude", "messages": []}')
    assert status == 400
    assert "max_tokens is required" in json.loads(answer)["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "type_"),
    [
        ("GET", "/v1/messages", 405, "invalid_request_error"),
        ("POST", "/v1/messages/batches", 404, "not_found_error"),
    ],
)
def test_errors_before_any_handler_have_anthropics_shape(
    gateway: Any, method: str, path: str, status: int, type_: str
) -> None:
    got, headers, answer = gateway.request(method, path)
    assert got == status
    body = json.loads(answer)
    assert (body["type"], body["error"]["type"]) == ("error", type_)
    assert body["request_id"] == headers["request-id"]


FAULTS: list[tuple[Any, int, type[anthropic.APIStatusError], str]] = [
    (
        Error(error="ThrottlingException", retry_after_seconds=7),
        429,
        anthropic.RateLimitError,
        "rate_limit_error",
    ),
    (Error(error="ServiceUnavailableException"), 502, anthropic.InternalServerError, "overloaded_error"),
    (Error(error="AccessDeniedException"), 502, anthropic.InternalServerError, "api_error"),
    (RegionDown(region="us-east-1"), 502, anthropic.InternalServerError, "api_error"),
    (Garbage(after_events=0), 502, anthropic.InternalServerError, "api_error"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("fault", "status", "exception", "type_"), FAULTS)
def test_what_goes_wrong_at_the_provider_is_told_by_the_right_exception(
    claude: anthropic.Anthropic,
    simulator: RunningSimulator,
    fault: Any,
    status: int,
    exception: type[anthropic.APIStatusError],
    type_: str,
    stream: bool,
) -> None:
    simulator.control.add_fault(fault)
    with pytest.raises(exception) as caught:
        claude.messages.create(**ASK | {"model": "fast"}, stream=stream)
    assert (caught.value.status_code, caught.value.type) == (status, type_)
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "7"


def test_a_stream_that_does_not_begin_in_time(
    claude: anthropic.Anthropic, simulator: RunningSimulator
) -> None:
    simulator.control.add_fault(SlowFirstByte(seconds=30))
    with pytest.raises(anthropic.InternalServerError) as caught:
        claude.messages.create(**ASK | {"model": "fast"}, stream=True)
    assert (caught.value.status_code, caught.value.type) == (504, "timeout_error")


@pytest.mark.parametrize(
    ("fault", "type_"),
    [
        (Cut(after_events=6), "api_error"),
        (Hang(after_events=6), "timeout_error"),
        (Garbage(after_events=6), "api_error"),
        (StreamError(error="throttlingException", after_events=6), "rate_limit_error"),
        (StreamError(error="serviceUnavailableException", after_events=6), "overloaded_error"),
    ],
)
def test_a_stream_that_breaks_midway_raises(
    claude: anthropic.Anthropic, gateway: Any, simulator: RunningSimulator, fault: Any, type_: str
) -> None:
    simulator.control.add_reply(Reply(words=50))
    simulator.control.add_fault(fault)
    text: list[str] = []
    with claude.messages.stream(**ASK) as stream:
        with pytest.raises(anthropic.APIStatusError) as caught:
            text.extend(stream.text_stream)
        request_id = stream.request_id
    assert "".join(text).split() == ["word1", "word2", "word3", "word4"]
    assert caught.value.type == type_
    assert caught.value.body["request_id"] == request_id  # type: ignore[index]  # the SDK says object
    record = gateway.record(request_id)
    assert record["input_tokens"] == 2
    assert record["usage_estimated"] is True
    assert record["output_tokens"] > 0
