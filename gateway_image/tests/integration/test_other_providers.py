"""OpenAI-compatible providers and SageMaker endpoints behind a real gateway, called by OpenAI's SDK."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from local.model_endpoint import process as endpoint_process
from local.model_endpoint.faults import Fault
from local.model_endpoint.process import RunningEndpoint

KEY_ONE, KEY_TWO = "key-one-of-the-provider", "key-two-of-the-provider"
HELLO: list[Any] = [{"role": "user", "content": "Hello there"}]
LIMITS = {
    "connect_seconds": 1,
    "first_byte_seconds": 1,
    "between_chunks_seconds": 1,
    "whole_answer_seconds": 2,
}


def _catalog(url: str) -> dict[str, Any]:
    def provider(name: str, **fields: Any) -> dict[str, Any]:
        return {
            "name": name,
            "provider": "openai_compatible",
            "base_url": f"{url}/v1",
            "model": "their-model",
            "api_key_secret": "provider",
            "time_limits": LIMITS,
            **fields,
        }

    def endpoint(name: str, **fields: Any) -> dict[str, Any]:
        return {
            "name": name,
            "provider": "sagemaker",
            "region": "us-east-1",
            "endpoint_name": "llm",
            "model": "llm",
            "time_limits": LIMITS,
            **fields,
        }

    models = {
        "gpt": [provider("gpt-a", apis=["chat_completions", "embeddings", "responses"])],
        "limited": [provider("limited-a")],
        "backed-up": [
            provider("without-a-key", api_key_secret="missing"),
            provider("with-a-key", tier=1, api_key_header="api-key"),
        ],
        "own-llm": [endpoint("own-llm-a", inference_component="small")],
        "lost-llm": [endpoint("lost-llm-a", endpoint_name="missing")],
    }
    # One attempt for each deployment: what is tried again is another suite's affair.
    return {
        "models": [
            {"name": name, "deployments": each, "max_attempts": len(each)} for name, each in models.items()
        ]
    }


@pytest.fixture(scope="module")
def endpoint() -> Iterator[RunningEndpoint]:
    with endpoint_process.start() as running:
        running.hold_secrets(provider=KEY_ONE)
        running.accept_keys(KEY_ONE)
        yield running


@pytest.fixture(autouse=True)
def _no_faults(endpoint: RunningEndpoint) -> Iterator[None]:
    yield
    endpoint.clear_faults()


@pytest.fixture(scope="module")
def gateway(
    endpoint: RunningEndpoint, start_gateway: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    catalog = tmp_path_factory.mktemp("catalog") / "models.json"
    catalog.write_text(json.dumps(_catalog(endpoint.url)))
    return start_gateway(
        models_source=catalog.as_uri(),
        secretsmanager_endpoint_url=endpoint.url,
        sagemaker_endpoint_url=endpoint.url,
    )


@pytest.mark.parametrize("model", ["gpt", "own-llm"])
def test_chat_completions(client: openai.OpenAI, gateway: Any, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=HELLO, extra_body={"top_k": 3}
    )
    answer = raw.parse()
    assert answer.choices[0].message.content == "You said: Hello there"
    assert answer.model == model
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 4)
    record = gateway.record(raw.headers["x-request-id"])
    assert (record["input_tokens"], record["output_tokens"]) == (2, 4)
    assert record["deployment"] == f"{model}-a"


@pytest.mark.parametrize("model", ["gpt", "own-llm"])
@pytest.mark.parametrize("fragment_bytes", [None, 7])
def test_streams(
    client: openai.OpenAI, endpoint: RunningEndpoint, model: str, fragment_bytes: int | None
) -> None:
    endpoint.add_fault(Fault(fragment_bytes=fragment_bytes))
    chunks = list(
        client.chat.completions.create(
            model=model, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == "You said: Hello there"
    assert {chunk.model for chunk in chunks} == {model}
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 4


def test_streams_are_metered_for_callers_who_did_not_ask(client: openai.OpenAI, gateway: Any) -> None:
    with client.chat.completions.with_streaming_response.create(
        model="gpt", messages=HELLO, stream=True
    ) as response:
        events = response.read()
        request_id = response.headers["x-request-id"]
    assert b'"choices":[]' not in events
    assert events.endswith(b"data: [DONE]\n\n")
    record = gateway.record(request_id)
    assert (record["input_tokens"], record["output_tokens"]) == (2, 4)
    assert "usage_estimated" not in record


def test_tools_pass_through(client: openai.OpenAI) -> None:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }
    answer = client.chat.completions.create(
        model="gpt",
        messages=[{"role": "user", "content": "call tool weather"}],
        tools=[{"type": "function", "function": {"name": "weather", "parameters": schema}}],
    )
    (call,) = answer.choices[0].message.tool_calls or []
    assert answer.choices[0].finish_reason == "tool_calls"
    assert call.type == "function"
    assert "city" in json.loads(call.function.arguments)


@pytest.mark.parametrize("model", ["gpt", "own-llm"])
def test_embeddings(client: openai.OpenAI, model: str) -> None:
    by_default = client.embeddings.create(model=model, input=["one text", "another"])
    as_floats = client.embeddings.create(model=model, input=["one text", "another"], encoding_format="float")
    assert by_default.model == model
    assert by_default.usage.prompt_tokens == 3
    for packed, floats in zip(by_default.data, as_floats.data, strict=True):
        assert packed.embedding == pytest.approx(floats.embedding, abs=1e-6)


def test_responses_pass_through(client: openai.OpenAI) -> None:
    whole = client.responses.create(model="gpt", input="Hello there")
    assert (whole.output_text, whole.model) == ("You said: Hello there", "gpt")
    events = list(client.responses.create(model="gpt", input="Hello there", stream=True))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == whole.output_text
    assert events[-1].type == "response.completed"
    assert events[-1].response.model == "gpt"


def test_an_unknown_field_is_refused_by_the_provider_with_its_words(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="no_such_field"):
        client.chat.completions.create(model="gpt", messages=HELLO, extra_body={"no_such_field": 1})


def test_the_provider_sees_its_own_model_and_no_caller(
    client: openai.OpenAI, endpoint: RunningEndpoint
) -> None:
    client.chat.completions.create(model="gpt", messages=HELLO)
    call = endpoint.calls()[-1]
    assert call["body"]["model"] == "their-model"
    assert not [name for name in call["headers"] if name.startswith(("x-stainless", "x-request", "openai-"))]


def test_another_deployment_answers_where_a_key_is_missing(client: openai.OpenAI, gateway: Any) -> None:
    raw = client.chat.completions.with_raw_response.create(model="backed-up", messages=HELLO)
    assert raw.headers["x-gatehouse-deployment"] == "with-a-key"
    failed = gateway.record(raw.headers["x-request-id"])["failed_attempts"]
    assert failed == [] or failed == ["without-a-key: upstream_credentials"]


def test_a_rotated_key_is_picked_up_at_the_first_refusal(
    client: openai.OpenAI, endpoint: RunningEndpoint
) -> None:
    endpoint.accept_keys(KEY_TWO)
    endpoint.hold_secrets(provider=KEY_TWO)
    try:
        with pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(model="gpt", messages=HELLO)
        assert caught.value.code == "upstream_credentials"
        assert KEY_ONE not in str(caught.value)
        _until_answered(client)
    finally:
        endpoint.accept_keys(KEY_ONE, KEY_TWO)


def _until_answered(client: openai.OpenAI) -> None:
    deadline = time.monotonic() + 5
    while True:
        try:
            client.chat.completions.create(model="gpt", messages=HELLO)
        except openai.InternalServerError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


@pytest.mark.parametrize("model", ["gpt", "own-llm"])
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault(status=500, body="boom", times=1), 502),
        (Fault(status=503, times=1), 502),
        (Fault(status=422, body='{"detail":"not that way"}', times=1), 422),
        (Fault(garbage_after_events=0, times=1), 502),
        (Fault(cut_after_events=0, times=1), 502),
        (Fault(slow_seconds=5, times=1), 504),
    ],
    ids=["error", "unavailable", "refusal", "garbage", "cut", "slow"],
)
def test_faults_have_a_status(
    client: openai.OpenAI, endpoint: RunningEndpoint, model: str, fault: Fault, status: int
) -> None:
    endpoint.add_fault(fault)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=model, messages=HELLO)
    assert caught.value.status_code == status


def test_the_providers_time_to_wait_is_told(client: openai.OpenAI, endpoint: RunningEndpoint) -> None:
    endpoint.add_fault(Fault(status=429, headers={"retry-after-ms": "6500"}, times=1))
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="limited", messages=HELLO)
    assert int(caught.value.response.headers["retry-after"]) in (6, 7)


@pytest.mark.parametrize("model", ["gpt", "own-llm"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut_after_events=3, seconds_between_events=0.05, times=1),
        Fault(garbage_after_events=3, seconds_between_events=0.05, times=1),
        Fault(error_after_events=3, seconds_between_events=0.05, times=1),
    ],
    ids=["cut", "garbage", "error"],
)
def test_a_stream_that_fails_midway_ends_with_an_error(
    client: openai.OpenAI, gateway: Any, endpoint: RunningEndpoint, model: str, fault: Fault
) -> None:
    endpoint.add_fault(fault)
    stream = client.chat.completions.create(model=model, messages=HELLO, stream=True)
    said: list[str] = []
    with pytest.raises(openai.APIError):
        said.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "".join(said) == "You said: "
    record = gateway.record(stream.response.headers["x-request-id"])
    assert record["usage_estimated"]
    assert record["output_tokens"] >= 1


def test_a_stream_that_stalls_is_ended(client: openai.OpenAI, endpoint: RunningEndpoint) -> None:
    endpoint.add_fault(Fault(stall_after_events=3, times=1))
    with pytest.raises(openai.APIError, match="sent nothing for 1 s"):
        list(client.chat.completions.create(model="gpt", messages=HELLO, stream=True))


def test_a_missing_end_mark_is_added(client: openai.OpenAI, endpoint: RunningEndpoint) -> None:
    endpoint.add_fault(Fault(without_end_mark=True, times=1))
    with client.chat.completions.with_streaming_response.create(
        model="gpt", messages=HELLO, stream=True
    ) as response:
        assert response.read().endswith(b"data: [DONE]\n\n")


def test_an_endpoint_that_is_not_there_is_the_operators_affair(client: openai.OpenAI, gateway: Any) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="lost-llm", messages=HELLO)
    assert caught.value.code == "upstream_model_not_found"
    assert "111122223333" not in str(caught.value)


def test_azures_path_names_the_model(gateway: Any) -> None:
    body = json.dumps({"input": "Hello"}).encode()
    status, _, answer = gateway.request("POST", "/openai/deployments/gpt/embeddings?api-version=x", body)
    assert status == 200
    assert json.loads(answer)["model"] == "gpt"


def test_no_key_is_in_the_log(gateway: Any) -> None:
    log = gateway.output.read_text()
    assert KEY_ONE not in log
    assert KEY_TWO not in log
