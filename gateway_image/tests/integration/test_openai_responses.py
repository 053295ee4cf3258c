"""The Responses API by OpenAI's own client, against a real gateway process and the Bedrock simulator."""

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from local.bedrock_simulator.faults import Cut, Error
from local.bedrock_simulator.process import RunningSimulator
from local.bedrock_simulator.replies import Reply, ReplyToolCall

WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
CALL = ReplyToolCall(name="weather", input={"city": "Lyon"})


def test_a_response(client: openai.OpenAI, gateway: Any) -> None:
    raw = client.responses.with_raw_response.create(
        model="claude", input="hello world", instructions="Be kind."
    )
    response = raw.parse()
    assert response.status == "completed"
    assert response.model == "claude"
    assert "hello world" in response.output_text
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert raw.headers["x-gatehouse-deployment"] == "claude-us"
    record = gateway.record(raw.headers["x-request-id"])
    assert record["operation"] == "responses"
    assert (record["status"], record["output_tokens"]) == (200, response.usage.output_tokens)


def test_a_stream(client: openai.OpenAI) -> None:
    with client.responses.stream(model="claude", input="hello world") as stream:
        events = list(stream)
        response = stream.get_final_response()
    assert "hello world" in response.output_text
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert deltas == response.output_text
    assert response.usage is not None
    assert response.usage.output_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
def test_tools(client: openai.OpenAI, simulator: RunningSimulator, stream: bool) -> None:
    simulator.control.add_reply(Reply(reasoning="Hm", text="Let me look.", tool_calls=(CALL,), times=1))
    conversation: list[Any] = [{"role": "user", "content": "weather?"}]
    first = respond(client, stream, input=conversation, tools=[WEATHER], reasoning={"effort": "low"})
    reasoning, message, call = first.output
    assert (reasoning.type, message.type) == ("reasoning", "message")
    assert reasoning.summary[0].text == "Hm"
    assert json.loads(call.arguments) == {"city": "Lyon"}
    conversation += first.output
    conversation.append({"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"})
    simulator.control.record_bodies(on=True)
    second = respond(client, stream, input=conversation, tools=[WEATHER], reasoning={"effort": "low"})
    assert second.status == "completed"
    # The model goes on from its own signed thoughts.
    sent = last_body(simulator)["messages"][1]["content"]
    assert [next(iter(block)) for block in sent] == ["reasoningContent", "text", "toolUse"]
    assert sent[0]["reasoningContent"]["reasoningText"]["signature"]


def last_body(simulator: RunningSimulator) -> Any:
    return simulator.control.calls()[-1].body


def respond(client: openai.OpenAI, stream: bool, **asked: Any) -> Any:
    if not stream:
        return client.responses.create(model="claude", **asked)
    with client.responses.stream(model="claude", **asked) as events:
        return events.get_final_response()


class Place(BaseModel):
    """What structured output is parsed into."""

    city: str
    country: str


def test_structured_output(client: openai.OpenAI, simulator: RunningSimulator) -> None:
    simulator.control.add_reply(Reply(text='{"city": "Lyon", "country": "France"}', times=1))
    simulator.control.record_bodies(on=True)
    response = client.responses.parse(model="claude", input="Where?", text_format=Place)
    assert response.output_parsed == Place(city="Lyon", country="France")
    sent = last_body(simulator)
    schema = json.loads(sent["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"])
    assert set(schema["properties"]) == {"city", "country"}


def test_an_answer_that_reached_its_limit_is_incomplete(
    client: openai.OpenAI, simulator: RunningSimulator
) -> None:
    simulator.control.add_reply(Reply(text="Hel", stop_reason="max_tokens", times=1))
    response = client.responses.create(model="claude", input="x", max_output_tokens=16)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"


IMAGE = {"role": "user", "content": [{"type": "input_image", "image_url": "https://x.test/a.png"}]}


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"reasoning": {"effort": "max"}}, "reasoning.effort"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format.type"),
        ({"tools": [WEATHER | {"name": "bad name"}]}, "tools[0].name"),
        ({"input": [{"role": "user", "content": "x"}, IMAGE]}, "input[1].content[0].image_url"),
        ({"input": [{"role": "assistant", "content": "x"}]}, "input[0]"),
        ({"instructions": "x", "input": " "}, "input"),
        ({"temperature": 1.5}, "temperature"),
    ],
)
def test_errors_speak_of_what_the_caller_sent(
    client: openai.OpenAI, asked: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**{"model": "claude", "input": "x", **asked})
    assert caught.value.param == param
    assert "messages" not in str(caught.value)


def test_an_unknown_model(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="gpt-unknown", input="x")


def test_the_providers_error_is_told_by_the_right_exception(
    client: openai.OpenAI, simulator: RunningSimulator
) -> None:
    simulator.control.add_fault(Error(error="ThrottlingException", retry_after_seconds=7))
    with pytest.raises(openai.RateLimitError):
        client.responses.create(model="claude", input="x")


def test_a_stream_that_breaks_ends_in_an_error_the_client_raises(
    client: openai.OpenAI, gateway: Any, simulator: RunningSimulator
) -> None:
    simulator.control.add_reply(Reply(words=50, times=2))
    simulator.control.add_fault(Cut(after_events=10))
    kinds: list[str] = []
    with pytest.raises(openai.APIError):
        kinds.extend(event.type for event in client.responses.create(model="claude", input="x", stream=True))
    assert "response.output_text.delta" in kinds
    assert "response.completed" not in kinds
    # Clients that go by the type of events are told, too.
    body = json.dumps({"model": "claude", "input": "x", "stream": True}).encode()
    _, _, raw = gateway.request("POST", "/v1/responses", body)
    *_, last = raw.decode().removesuffix("\n\n").split("\n\n")
    kind, data = last.split("\n")
    assert kind == "event: error"
    assert json.loads(data.removeprefix("data: "))["code"] == "upstream_connection_lost"
