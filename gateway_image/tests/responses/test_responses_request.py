"""Responses requests as chat completion requests."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.openai.responses import decode_envelope

Json = dict[str, Any]
Mapped = Callable[..., Json]
Refused = Callable[..., GatewayError]
Answered = Callable[..., Json]
Restated = Callable[..., Callable[[GatewayError], GatewayError]]

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}
CALL = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}", "id": "fc_1"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "sunny"}
PNG = "data:image/png;base64,AAAA"


def said(text: str) -> Json:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def test_text(mapped: Mapped) -> None:
    assert mapped(input="Hello") == {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def test_instructions_come_first(mapped: Mapped) -> None:
    messages = mapped(instructions="Be brief.", input=[{"role": "developer", "content": "x"}])["messages"]
    assert messages == [{"role": "system", "content": "Be brief."}, {"role": "system", "content": "x"}]


def test_every_parameter(mapped: Mapped) -> None:
    same = {
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "service_tier": "flex",
        "temperature": 0,
        "top_p": 0.5,
        "user": "u",
    }
    body = mapped(
        **same,
        max_output_tokens=9,
        reasoning={"effort": "low", "summary": "auto"},
        text={
            "format": {"type": "json_schema", "name": "x", "schema": SCHEMA, "strict": True},
            "verbosity": "low",
        },
        tools=[WEATHER],
        tool_choice={"type": "function", "name": "weather"},
        stream=True,
    )
    del body["messages"], body["model"]
    assert body == {
        **same,
        "max_completion_tokens": 9,
        "reasoning_effort": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "x", "schema": SCHEMA, "strict": True},
        },
        "verbosity": "low",
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [
            {"type": "function", "function": {"name": "weather", "parameters": SCHEMA, "strict": True}}
        ],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
    }


def test_what_asks_for_nothing_special_is_accepted(mapped: Mapped) -> None:
    asked = mapped(
        background=False,
        context_management=[],
        conversation=None,
        include=["reasoning.encrypted_content"],
        previous_response_id=None,
        prompt=None,
        reasoning={"effort": None},
        store=False,
        text={"format": {"type": "text"}},
        tools=[],
        top_logprobs=0,
        truncation="disabled",
    )
    assert asked == mapped()


def test_allowed_tools(mapped: Mapped) -> None:
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "weather"}]}
    assert mapped(tools=[WEATHER], tool_choice=choice)["tool_choice"] == {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "weather"}}]},
    }


def test_images_and_files(mapped: Mapped) -> None:
    parts = [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": PNG, "detail": "auto"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
    ]
    [message] = mapped(input=[{"role": "user", "content": parts}])["messages"]
    assert message["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": PNG, "detail": "auto"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
    ]


def test_the_items_of_one_turn_become_one_message(mapped: Mapped) -> None:
    second = CALL | {"call_id": "c2"}
    body = mapped(
        input=[
            {"role": "user", "content": "Weather?"},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            said("Let me look."),
            CALL,
            second,
            OUTPUT,
            OUTPUT | {"call_id": "c2", "output": [{"type": "input_text", "text": "rain"}]},
            said("Sun and rain."),
            {"role": "user", "content": "Thanks"},
        ],
        tools=[WEATHER],
    )
    function = {"name": "weather", "arguments": "{}"}
    assert body["messages"] == [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [{"id": i, "type": "function", "function": function} for i in ("c1", "c2")],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "rain"}]},
        {"role": "assistant", "content": "Sun and rain."},
        {"role": "user", "content": "Thanks"},
    ]


def test_a_call_without_text_is_a_message_without_content(mapped: Mapped) -> None:
    body = mapped(input=[{"role": "user", "content": "x"}, CALL, OUTPUT], tools=[WEATHER])
    assert body["messages"][1]["content"] is None


def test_refusals_go_back(mapped: Mapped) -> None:
    refusal = {"type": "refusal", "refusal": "No."}
    body = mapped(input=[{"role": "user", "content": "x"}, {"role": "assistant", "content": [refusal]}])
    assert body["messages"][1]["content"] == [refusal]


def test_an_answer_can_be_sent_back_as_it_is(mapped: Mapped, answered: Answered) -> None:
    thinking = [
        {"type": "thinking", "thinking": "Hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "AAAA"},
    ]
    function = {"name": "weather", "arguments": '{"city": "Lyon"}'}
    call = {"id": "c1", "type": "function", "function": function}
    message = {"content": "Let me look.", "reasoning_content": "Hm", "thinking_blocks": thinking}
    output = answered(message | {"tool_calls": [call]}, finish_reason="tool_calls")["output"]
    assert [item["type"] for item in output] == ["reasoning", "message", "function_call"]
    body = mapped(input=[{"role": "user", "content": "x"}, *output, OUTPUT], tools=[WEATHER])
    assert body["messages"][1] == {
        "role": "assistant",
        "content": "Let me look.",
        "thinking_blocks": thinking,
        "tool_calls": [call],
    }


def test_reasoning_that_another_service_encrypted_is_left_out(mapped: Mapped) -> None:
    reasoning = {"type": "reasoning", "summary": [], "encrypted_content": "gAAAAABo"}
    body = mapped(input=[{"role": "user", "content": "x"}, reasoning, said("y")])
    assert body["messages"][1] == {"role": "assistant", "content": "y"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("background", True),
        ("context_management", [{"type": "compaction"}]),
        ("conversation", "conv_1"),
        ("include[0]", ["file_search_call.results"]),
        ("max_tool_calls", 3),
        ("moderation", {"model": "m"}),
        ("previous_response_id", "resp_1"),
        ("prompt", {"id": "p"}),
        ("store", True),
        ("top_logprobs", 2),
        ("truncation", "auto"),
        ("tools[0].type", [{"type": "web_search"}]),
        ("tool_choice.type", {"type": "mcp", "server_label": "x"}),
        ("no_such_field", 1),
        ("temperature", 3),
        ("input", []),
        ("input", None),
        ("reasoning.mode", {"mode": "pro"}),
    ],
)
def test_what_is_not_there_is_refused_by_name(refused: Refused, field: str, value: object) -> None:
    name = field.partition("[")[0].partition(".")[0]
    error = refused(**{name: value})
    assert error.param == field
    assert error.message.startswith(field)


def user(*parts: Json) -> Json:
    return {"role": "user", "content": list(parts)}


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"type": "item_reference", "id": "msg_1"}, "input[1].type"),
        ({"type": "web_search_call", "id": "ws_1"}, "input[1].type"),
        ({"role": "user"}, "input[1].content"),
        ({"role": "robot", "content": "x"}, "input[1].role"),
        ({"type": "function_call", "call_id": "c"}, "input[1].name"),
        ({"role": "user", "content": "x", "color": "red"}, "input[1].color"),
        (user({"type": "input_video"}), "input[1].content[0].type"),
        (user({"type": "input_image", "file_id": "file-1"}), "input[1].content[0]"),
        (user({"type": "input_file", "file_url": "https://x.test"}), "input[1].content[0]"),
        (
            {"role": "assistant", "content": [{"type": "input_image", "image_url": PNG}]},
            "input[1].content[0]",
        ),
        (OUTPUT | {"output": [{"type": "input_image", "image_url": PNG}]}, "input[1].output[0]"),
        ({"type": "reasoning", "encrypted_content": "gatehouse:!"}, "input[1].encrypted_content"),
        ({"type": "reasoning", "encrypted_content": "gatehouse:é"}, "input[1].encrypted_content"),
        ({"type": "reasoning", "encrypted_content": "gatehouse:e30="}, "input[1].encrypted_content"),
        ("text", "input[1]"),
    ],
)
def test_items_that_cannot_be_mapped_are_refused_by_name(refused: Refused, item: object, param: str) -> None:
    assert refused(input=[{"role": "user", "content": "x"}, item]).param == param


def test_the_envelope() -> None:
    envelope = decode_envelope(
        b'{"model": "m", "stream": true, "max_output_tokens": 5, "input": 1, "new": 2}'
    )
    assert (envelope.model, envelope.stream, envelope.max_output_tokens) == ("m", True, 5)
    assert decode_envelope(b"{}", model="path").model == "path"
    with pytest.raises(GatewayError) as caught:
        decode_envelope(b"{}")
    assert (caught.value.status, caught.value.param) == (400, "model")


@pytest.mark.parametrize(
    ("chat_name", "name"),
    [
        ("messages", "input"),
        ("messages[0].content", "instructions"),
        ("messages[1].content[0].image_url.url", "input[0].content[0].image_url"),
        ("messages[1].content[2].file.file_data", "input[0].content[2].file_data"),
        ("messages[2].tool_calls[0].id", "input[1]"),
        ("max_completion_tokens", "max_output_tokens"),
        ("reasoning_effort", "reasoning.effort"),
        ("response_format.json_schema.schema", "text.format.schema"),
        ("tools[0].function.name", "tools[0].name"),
        ("tool_choice.function.name", "tool_choice.name"),
        ("temperature", "temperature"),
    ],
)
def test_errors_are_told_in_the_terms_of_the_request(restated: Restated, chat_name: str, name: str) -> None:
    restate = restated(instructions="x", input=[{"role": "user", "content": "y"}, CALL], tools=[WEATHER])
    # The rest of a message may quote the caller.
    error = GatewayError(
        400, f"{chat_name} is 'messages'.", type="invalid_request_error", param=chat_name, code="c"
    )
    told = restate(error)
    assert (told.status, told.type, told.code) == (400, "invalid_request_error", "c")
    assert (told.message, told.param) == (f"{name} is 'messages'.", name)


def test_an_error_that_names_no_field_stays_as_it_is(restated: Restated) -> None:
    for error in (
        GatewayError(429, "messages", type="rate_limit_error", retry_after_seconds=7),
        GatewayError(502, "messages", type="api_error", param="messages"),
    ):
        assert restated()(error) is error
