"""OpenAI's clients beyond the usual call: asynchronous, Azure's, raw and parsed answers, waiting."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from local.bedrock_simulator.faults import Error, Hang
from local.bedrock_simulator.process import RunningSimulator
from local.bedrock_simulator.replies import Reply

HELLO: Any = [{"role": "user", "content": "hello world"}]


class Place(BaseModel):
    """What structured output is parsed into."""

    city: str
    country: str


@pytest.fixture
async def async_client(gateway: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
        yield client


@pytest.fixture
def azure(gateway: Any) -> Any:
    with openai.AzureOpenAI(
        azure_endpoint=gateway.url, api_key=gateway.key, api_version="2024-10-21", max_retries=0
    ) as client:
        yield client


def test_a_parsed_completion(client: openai.OpenAI, simulator: RunningSimulator) -> None:
    simulator.control.add_reply(Reply(text='{"city": "Lyon", "country": "France"}', times=1))
    completion = client.chat.completions.parse(model="claude", messages=HELLO, response_format=Place)
    assert completion.choices[0].message.parsed == Place(city="Lyon", country="France")


def test_the_events_of_a_completion(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="fast", messages=HELLO, stream_options={"include_usage": True}
    ) as stream:
        kinds = {event.type for event in stream}
        completion = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert "hello world" in (completion.choices[0].message.content or "")
    assert completion.usage is not None


def test_an_answer_that_is_read_bit_by_bit(client: openai.OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(model="fast", messages=HELLO) as response:
        assert response.headers["content-type"] == "application/json"
        assert "hello world" in "".join(response.iter_text())


def test_the_callers_own_request_id(client: openai.OpenAI, gateway: Any) -> None:
    completion = client.chat.completions.create(
        model="fast", messages=HELLO, extra_headers={"x-request-id": "order-66"}
    )
    assert completion._request_id == "order-66"
    assert gateway.record("order-66")["status"] == 200


def test_one_model(client: openai.OpenAI) -> None:
    model = client.models.retrieve("claude")
    assert (model.id, model.object, model.owned_by) == ("claude", "model", "bedrock")
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-unknown")
    assert caught.value.code == "model_not_found"


def test_what_is_not_there_says_what_is(client: openai.OpenAI) -> None:
    for call in (
        lambda: client.responses.retrieve("resp_1"),
        lambda: client.completions.create(model="claude", prompt="x"),
        lambda: client.files.list(),
    ):
        with pytest.raises(openai.NotFoundError, match="/v1/chat/completions") as caught:
            call()
        assert caught.value.code == "unknown_url"


@pytest.mark.parametrize("error", ["ThrottlingException", "ServiceUnavailableException"])
def test_a_client_that_tries_again_waits_as_long_as_it_is_told(
    gateway: Any, simulator: RunningSimulator, error: Any
) -> None:
    simulator.control.add_fault(Error(error=error, retry_after_seconds=1, times=1))
    started = time.monotonic()
    with gateway.client(max_retries=2) as client:
        raw = client.chat.completions.with_raw_response.create(model="fast", messages=HELLO)
    assert raw.retries_taken == 1
    assert time.monotonic() - started >= 1


def test_a_client_that_does_not_wait(gateway: Any, simulator: RunningSimulator) -> None:
    simulator.control.add_fault(Hang())
    with gateway.client(timeout=0.3) as client, pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(
            model="claude", messages=HELLO, extra_headers={"x-request-id": "impatient"}
        )
    assert gateway.record("impatient")["status"] == 499


def test_azures_client(azure: openai.AzureOpenAI) -> None:
    raw = azure.chat.completions.with_raw_response.create(model="fast", messages=HELLO)
    assert "hello world" in (raw.parse().choices[0].message.content or "")
    assert raw.headers["x-gatehouse-model"] == "fast"
    stream = azure.chat.completions.create(model="fast", messages=HELLO, stream=True)
    assert "hello world" in "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    with pytest.raises(openai.NotFoundError) as caught:
        azure.chat.completions.create(model="gpt-unknown", messages=HELLO)
    assert caught.value.code == "model_not_found"


@pytest.mark.anyio
async def test_many_at_once(async_client: openai.AsyncOpenAI) -> None:
    async def ask(number: int) -> str:
        messages: Any = [{"role": "user", "content": f"number {number}"}]
        completion = await async_client.chat.completions.create(model="fast", messages=messages)
        return completion.choices[0].message.content or ""

    answers = await asyncio.gather(*map(ask, range(20)))
    assert all(f"number {number}" in answer for number, answer in enumerate(answers))


@pytest.mark.anyio
async def test_asynchronous_streams(async_client: openai.AsyncOpenAI) -> None:
    stream = await async_client.chat.completions.create(model="fast", messages=HELLO, stream=True)
    assert "hello world" in "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
    async with async_client.responses.stream(model="fast", input="hello world") as events:
        kinds = [event.type async for event in events]
    assert kinds[-1] == "response.completed"
    assert [model.id async for model in async_client.models.list()] == ["claude", "fast"]


@pytest.mark.anyio
async def test_a_stream_that_is_left(
    async_client: openai.AsyncOpenAI, gateway: Any, simulator: RunningSimulator
) -> None:
    simulator.control.add_reply(Reply(words=500, times=1))
    stream = await async_client.chat.completions.create(model="claude", messages=HELLO, stream=True)
    async for _ in stream:
        break
    await stream.close()
    record = gateway.record(stream.response.headers["x-request-id"])
    assert record["status"] == 499
    assert record["output_tokens"] < 100
