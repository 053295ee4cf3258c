"""OpenAI's own client against a real gateway process and the Bedrock simulator."""

import base64
import struct
import time
import zlib
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from local.bedrock_simulator.faults import Cut, Error, Hang, RegionDown, SlowFirstByte, StreamError
from local.bedrock_simulator.process import RunningSimulator
from local.bedrock_simulator.replies import Reply, ReplyToolCall

HELLO: Any = [{"role": "user", "content": "hello world"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def test_a_completion(client: openai.OpenAI, gateway: Any) -> None:
    raw = client.chat.completions.with_raw_response.create(model="claude", messages=HELLO)
    completion = raw.parse()
    assert completion.object == "chat.completion"
    assert completion.model == "claude"
    assert completion.choices[0].finish_reason == "stop"
    assert "hello world" in (completion.choices[0].message.content or "")
    usage = completion.usage
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert raw.headers["x-gatehouse-deployment"] == "claude-us"
    assert raw.headers["x-gatehouse-region"] == "us-east-1"
    record = gateway.record(raw.headers["x-request-id"])
    assert record["status"] == 200
    assert (record["caller"], record["model"], record["deployment"]) == ("suite", "claude", "claude-us")
    assert record["output_tokens"] == usage.completion_tokens
    assert record["latency_ms"] > 0


def test_a_stream_arrives_as_it_is_made(
    client: openai.OpenAI, gateway: Any, simulator: RunningSimulator
) -> None:
    simulator.control.add_reply(Reply(words=50))
    arrivals = []
    with client.chat.completions.with_streaming_response.create(
        model="claude", messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        request_id = response.headers["x-request-id"]
        chunks = []
        for chunk in response.parse():
            arrivals.append(time.monotonic())
            chunks.append(chunk)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert len(text.split()) == 50
    # 50 words at 100 a second: held back, they would come at once.
    assert arrivals[-1] - arrivals[0] > 0.25
    assert chunks[-1].usage is not None
    record = gateway.record(request_id)
    assert record["streamed"] is True
    assert record["time_to_first_token_ms"] < record["latency_ms"] / 2
    assert record["output_tokens"] == chunks[-1].usage.completion_tokens


def test_tools(client: openai.OpenAI, simulator: RunningSimulator) -> None:
    call = ReplyToolCall(name="weather", input={"city": "Lyon"})
    simulator.control.add_reply(Reply(tool_calls=(call,), times=1))
    first = client.chat.completions.create(model="claude", messages=HELLO, tools=[WEATHER])
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.arguments.replace(" ", "") == '{"city":"Lyon"}'  # type: ignore[union-attr]
    answer: Any = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "18 degrees"}
    turns: Any = [*HELLO, message.model_dump(exclude_none=True), answer]
    second = client.chat.completions.create(model="claude", messages=turns, tools=[WEATHER])
    assert second.choices[0].finish_reason == "stop"


def test_an_image(client: openai.OpenAI) -> None:
    url = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    content = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    messages: Any = [{"role": "user", "content": content}]
    completion = client.chat.completions.create(model="claude", messages=messages)
    assert completion.choices[0].message.content


def test_the_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["claude", "fast"]


@pytest.mark.parametrize(
    ("options", "status", "exception", "code"),
    [
        ({"api_key": "wrong"}, 401, openai.AuthenticationError, "invalid_api_key"),
        ({"model": "gpt-unknown"}, 404, openai.NotFoundError, "model_not_found"),
        ({"messages": []}, 400, openai.BadRequestError, None),
        ({"messages": "hello"}, 400, openai.BadRequestError, None),
    ],
)
def test_the_client_raises_what_it_raises_for_openai(
    gateway: Any,
    options: dict[str, Any],
    status: int,
    exception: type[openai.APIStatusError],
    code: str | None,
) -> None:
    request: Any = {"model": "claude", "messages": HELLO, **options}
    key = {"api_key": request.pop("api_key")} if "api_key" in request else {}
    with gateway.client(**key) as client, pytest.raises(exception) as caught:
        client.chat.completions.create(**request)
    assert caught.value.status_code == status
    if code is not None:
        assert caught.value.code == code
    assert caught.value.request_id


FAULTS = [
    (Error(error="ThrottlingException", retry_after_seconds=7), 429, openai.RateLimitError),
    (Error(error="ServiceUnavailableException"), 502, openai.InternalServerError),
    (Error(error="AccessDeniedException"), None, openai.InternalServerError),
    (RegionDown(region="us-east-1"), 502, openai.InternalServerError),
    (SlowFirstByte(seconds=30), 504, openai.InternalServerError),
]


@pytest.fixture(scope="module")
def unspoilt(start_gateway: Any) -> Iterator[openai.OpenAI]:
    """A client of a gateway of its own: none of its deployments cools because of what other tests did."""
    with start_gateway().client() as client:
        yield client


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("fault", "status", "exception"), FAULTS)
def test_what_goes_wrong_at_the_provider_is_told_by_the_right_exception(
    unspoilt: openai.OpenAI,
    simulator: RunningSimulator,
    fault: Any,
    status: int | None,
    exception: Any,
    stream: bool,
) -> None:
    simulator.control.add_fault(fault)
    started = time.monotonic()
    with pytest.raises(exception) as caught:
        unspoilt.chat.completions.create(model="fast", messages=HELLO, stream=stream)
    assert time.monotonic() - started < 8
    assert caught.value.status_code >= 429 if status is None else caught.value.status_code == status
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "7"
    assert "111111111111" not in caught.value.response.text


def test_the_client_does_not_ask_again_where_only_operators_can_help(
    gateway: Any, simulator: RunningSimulator
) -> None:
    simulator.control.add_fault(Error(error="AccessDeniedException"))
    with gateway.client(max_retries=2) as client, pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="fast", messages=HELLO)
    assert len(simulator.control.calls()) == 1


@pytest.mark.parametrize("fault", [Cut(after_events=10), Hang(after_events=10), StreamError(after_events=10)])
def test_a_stream_that_breaks_ends_in_an_error_the_client_raises(
    client: openai.OpenAI, gateway: Any, simulator: RunningSimulator, fault: Any
) -> None:
    simulator.control.add_reply(Reply(words=50))
    simulator.control.add_fault(fault)
    stream = client.chat.completions.create(model="claude", messages=HELLO, stream=True)
    chunks: list[Any] = []
    with pytest.raises(openai.APIError):
        chunks.extend(stream)
    assert gateway.record(stream.response.headers["x-request-id"])["error_type"]


def test_neither_prompts_nor_answers_nor_secrets_are_logged(
    gateway: Any, simulator: RunningSimulator
) -> None:
    prompt: Any = [{"role": "user", "content": "the password is xyzzy-plugh"}]
    with gateway.client() as client:
        raw = client.chat.completions.with_raw_response.create(model="claude", messages=prompt)
        simulator.control.add_fault(Error(error="ModelErrorException"))
        with pytest.raises(openai.APIStatusError):
            client.chat.completions.create(model="claude", messages=prompt)
    gateway.request("POST", "/v1/models", authorization="Bearer wrong-key-wrong-key-wrong-key-wrong")
    gateway.request("POST", "/v1/chat/completions", b'{"model": "xyzzy-plugh"')
    gateway.record(raw.headers["x-request-id"])
    log = gateway.output.read_text()
    for secret in ("xyzzy", "key-of-the-test-suite", "wrong-key", "secret-of-the-test-suite", "password-of"):
        assert secret not in log


def png() -> bytes:
    """The smallest picture: one grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\x00\x80")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
