"""Chat completions as Responses, whole and streamed, as the OpenAI SDK reads them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.errors import GatewayError
from gateway.openai.responses import error_event
from gateway.providers import Usage

Json = dict[str, Any]
Answered = Callable[..., Json]
Streamed = Callable[..., Any]

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
SIGNED = [{"type": "thinking", "thinking": "Hmm", "signature": "sig", "index": 0}]


def valid(response: Json) -> Response:
    return Response.model_validate(response)


def call(index: int, arguments: str, **fields: str) -> Json:
    function = {"arguments": arguments} | ({"name": fields.pop("name")} if "name" in fields else {})
    return {"tool_calls": [{"index": index, "function": function, **fields}]}


def test_text(answered: Answered) -> None:
    response = valid(answered({"content": "Hello"}))
    assert response.status == "completed"
    assert response.output_text == "Hello"
    assert response.id.startswith("resp_")
    assert response.model == "m"
    assert response.completed_at is not None
    assert (response.error, response.incomplete_details) == (None, None)
    assert response.usage is not None
    assert response.usage.model_dump() == {
        "input_tokens": 7,
        "input_tokens_details": {
            "cached_tokens": 2,
            "cache_write_tokens": 0,
            "cache_write_tokens_details": None,
        },
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 12,
    }


def test_what_was_asked_is_told_again(answered: Answered) -> None:
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
    asked: Json = {
        "instructions": "Be brief.",
        "max_output_tokens": 7,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low", "summary": "auto"},
        "temperature": 0.5,
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "tool_choice": "required",
        "tools": [tool],
        "top_p": 0.25,
        "user": "u",
    }
    response = answered({"content": "x"}, asked=asked)
    valid(response)
    assert response["tools"] == [tool | {"description": None}]
    assert {name: response[name] for name in asked if name != "tools"} == {
        name: value for name, value in asked.items() if name != "tools"
    }
    assert response["store"] is False


def test_reasoning_text_and_calls_are_items(answered: Answered) -> None:
    function = {"name": "weather", "arguments": "{}"}
    message = {
        "content": "Let me look.",
        "reasoning_content": "Hm",
        "tool_calls": [{"id": "c1", "type": "function", "function": function}],
    }
    response = valid(answered(message, finish_reason="tool_calls"))
    reasoning, text, function_call = response.output
    assert reasoning.type == "reasoning"
    assert [part.text for part in reasoning.summary] == ["Hm"]
    assert reasoning.encrypted_content is None
    assert text.type == "message"
    assert function_call.type == "function_call"
    assert (function_call.call_id, function_call.name, function_call.arguments) == ("c1", "weather", "{}")
    assert response.status == "completed"


def test_a_call_alone_is_no_message(answered: Answered) -> None:
    function = {"name": "weather", "arguments": "{}"}
    message = {"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": function}]}
    assert [item.type for item in valid(answered(message)).output] == ["function_call"]


def test_a_refusal(answered: Answered) -> None:
    [message] = valid(answered({"content": None, "refusal": "No."})).output
    assert message.type == "message"
    assert [part.type for part in message.content] == ["refusal"]


@pytest.mark.parametrize(
    ("finish_reason", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_an_answer_that_was_cut_short_is_incomplete(
    answered: Answered, streamed: Streamed, finish_reason: str, reason: str
) -> None:
    whole = valid(answered({"content": "Hel"}, finish_reason=finish_reason))
    last = streamed({"content": "Hel"}, finish_reason=finish_reason).events[-1]
    assert last["type"] == "response.incomplete"
    for response in whole, valid(last["response"]):
        assert response.status == "incomplete"
        assert response.incomplete_details is not None
        assert response.incomplete_details.reason == reason
        assert response.completed_at is None
        assert response.output_text == "Hel"
        assert [item["status"] for item in response.model_dump()["output"]] == ["incomplete"]


def test_of_an_answer_that_was_cut_short_the_last_item_is_incomplete(
    answered: Answered, streamed: Streamed
) -> None:
    function = {"name": "weather", "arguments": '{"ci'}
    calls = [{"id": "c1", "type": "function", "function": function, "index": 0}]
    whole = answered({"content": "Let me see.", "tool_calls": calls}, finish_reason="length")
    events = streamed({"content": "Let me see."}, {"tool_calls": calls}, finish_reason="length").events
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    for items in whole["output"], events[-1]["response"]["output"], done:
        assert [(item["type"], item["status"]) for item in items] == [
            ("message", "completed"),
            ("function_call", "incomplete"),
        ]


def test_an_answer_that_cannot_be_read_is_a_bad_gateway(answered: Answered) -> None:
    with pytest.raises(GatewayError) as caught:
        answered({"content": 1})
    assert (caught.value.status, caught.value.code) == (502, "upstream_invalid_response")
    # The chat completion could be read, and it has been paid for.
    assert caught.value.usage == Usage(input_tokens=7, output_tokens=5)
    with pytest.raises(GatewayError):
        answered({}, choices=[])


TEXT_KINDS = [
    "created",
    "in_progress",
    "output_item.added",
    "content_part.added",
    "output_text.delta",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done",
    "completed",
]


def test_the_events_of_a_text(streamed: Streamed) -> None:
    recording = streamed({"role": "assistant", "content": ""}, {"content": "Grüß "}, {"content": "\nGott"})
    assert recording.kinds == TEXT_KINDS
    for event in recording.events:
        EVENT.validate_python(event)
    deltas = [event["delta"] for event in recording.events if event["type"] == "response.output_text.delta"]
    assert deltas == ["Grüß ", "\nGott"]
    response = valid(recording.events[-1]["response"])
    assert response.output_text == "Grüß \nGott"
    assert response.usage is not None
    assert response.usage.total_tokens == 12
    assert response.service_tier == "default"
    assert recording.translation.complete
    assert recording.translation.usage.output_tokens == 5
    assert recording.translation.content_begun


def test_the_events_of_reasoning_and_calls(streamed: Streamed) -> None:
    recording = streamed(
        {"reasoning_content": "Hm"},
        {"reasoning_content": "m"},
        {"thinking_blocks": SIGNED},
        {"content": "Let me look."},
        call(0, "", id="c1", name="weather"),
        call(0, '{"city": '),
        call(1, "{}", id="c2", name="now"),
        call(0, '"Lyon"}'),
        finish_reason="tool_calls",
    )
    for event in recording.events:
        EVENT.validate_python(event)
    assert recording.kinds == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        *TEXT_KINDS[2:5],
        *TEXT_KINDS[6:9],
        "output_item.added",
        "function_call_arguments.delta",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    reasoning, _, first, second = recording.events[-1]["response"]["output"]
    assert reasoning["summary"] == [{"type": "summary_text", "text": "Hmm"}]
    assert reasoning["encrypted_content"]
    assert (first["call_id"], json.loads(first["arguments"])) == ("c1", {"city": "Lyon"})
    assert (second["call_id"], second["arguments"]) == ("c2", "{}")


def test_every_item_is_where_its_events_say(streamed: Streamed) -> None:
    events = streamed({"reasoning_content": "Hm"}, {"content": "x"}, call(0, "{}", id="c", name="f")).events
    output = events[-1]["response"]["output"]
    for event in events:
        if "output_index" in event:
            item = output[event["output_index"]]
            assert event.get("item_id", item["id"]) == item["id"]
        if event["type"] == "response.output_item.done":
            assert event["item"] == item


def test_a_text_that_ends_in_a_refusal(streamed: Streamed) -> None:
    recording = streamed({"content": "Well,"}, {"refusal": "no"}, {"refusal": "."})
    for event in recording.events:
        EVENT.validate_python(event)
    assert recording.kinds.count("refusal.delta") == 2
    [message] = recording.events[-1]["response"]["output"]
    assert [part["type"] for part in message["content"]] == ["output_text", "refusal"]
    assert message["content"][1]["refusal"] == "no."


def test_an_empty_answer_is_an_empty_message(streamed: Streamed, answered: Answered) -> None:
    recording = streamed({"role": "assistant", "content": ""})
    assert recording.kinds[-1] == "completed"
    [message] = recording.events[-1]["response"]["output"]
    assert [part["text"] for part in message["content"]] == [""]
    assert [part["text"] for part in answered({"content": ""})["output"][0]["content"]] == [""]


@pytest.mark.parametrize("cut", [1, 7, 50])
def test_the_output_does_not_depend_on_how_the_stream_is_cut(streamed: Streamed, cut: int) -> None:
    deltas = [{"reasoning_content": "Hm"}, {"content": "Grüß"}, call(0, "{}", id="c", name="f")]
    assert streamed(*deltas, cut=cut).kinds == streamed(*deltas).kinds


def test_a_stream_that_breaks_is_not_completed(streamed: Streamed) -> None:
    recording = streamed({"content": "Hel"}, finish_reason=None)
    assert recording.kinds[-1] == "output_text.delta"
    assert not recording.translation.complete
    assert recording.translation.error.code == "upstream_connection_lost"


def test_chunks_that_make_no_sense_are_an_error(streamed: Streamed) -> None:
    recording = streamed({"content": "Hel"}, {"content": 1})
    assert recording.kinds[-1] == "output_text.delta"
    assert recording.translation.error.code == "upstream_invalid_response"
    assert not recording.translation.complete


def test_an_error_in_a_stream_is_an_event_of_the_api_that_openais_client_raises() -> None:
    error = GatewayError(429, "Slow down.", type="rate_limit_error", code="rate_limit_exceeded")
    kind, data = error_event(error).decode().removesuffix("\n\n").split("\n")
    event = json.loads(data.removeprefix("data: "))
    assert kind == "event: error"
    assert (event["type"], event["code"], event["message"]) == ("error", "rate_limit_exceeded", "Slow down.")
    assert event["error"] == json.loads(error.body())["error"]
