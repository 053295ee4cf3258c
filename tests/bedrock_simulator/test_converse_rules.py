"""The rules of Converse that only the running service tells, each broken once."""

import base64
from typing import Any

import pytest

from local.bedrock_simulator.converse_rules import check_conversation
from local.bedrock_simulator.errors import ServiceError
from local.bedrock_simulator.model_rules import check_request
from local.bedrock_simulator.scenario import Model, load_scenario

_EXPECTED = "Expected toolResult blocks at messages.2.content for the following Ids: "
_PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n...").decode()
_SCHEMA = {"json": {"type": "object"}}
_TOOLS = {"tools": [{"toolSpec": {"name": "f", "inputSchema": _SCHEMA}}]}
_MODELS = {model.id: model for model in load_scenario().models}
_HAIKU = _MODELS["anthropic.claude-haiku-4-5-20251001-v1:0"]
_SONNET = _MODELS["anthropic.claude-sonnet-4-6"]
_HAIKU_3 = _MODELS["anthropic.claude-3-haiku-20240307-v1:0"]
_NOVA = _MODELS["amazon.nova-lite-v1:0"]


def turn(role: str, *blocks: Any) -> dict[str, Any]:
    return {
        "role": role,
        "content": [{"text": block} if isinstance(block, str) else block for block in blocks],
    }


def call(tool_use_id: str, tool_input: Any = None) -> dict[str, Any]:
    return {
        "toolUse": {"toolUseId": tool_use_id, "name": "f", "input": {} if tool_input is None else tool_input}
    }


def result(tool_use_id: str, *content: Any, **more: Any) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": tool_use_id, "content": list(content), **more}}


def image(declared: str, data: str = _PNG) -> dict[str, Any]:
    return {"image": {"format": declared, "source": {"bytes": data}}}


def document(name: str) -> dict[str, Any]:
    return {"document": {"name": name, "format": "txt", "source": {"bytes": _PNG}}}


def after_call(*blocks: Any) -> list[dict[str, Any]]:
    return [turn("user", "Hello"), turn("assistant", call("a"), call("b")), turn("user", *blocks)]


def test_a_full_conversation_passes() -> None:
    check_conversation(
        {
            "system": [{"text": "Be kind"}],
            "messages": [
                turn("user", "Look at this", image("png"), document("Report (1) [final]")),
                turn("assistant", "I will call", call("a"), call("b")),
                turn("user", result("b", {"text": "yes"}), result("a", {"json": {}}), "and go on"),
                turn("assistant", "Done"),
                turn("user", "Thanks"),
            ],
            "toolConfig": _TOOLS | {"toolChoice": {"tool": {"name": "f"}}},
        }
    )


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "A conversation must start with a user message."),
        ([turn("assistant", "Hello")], "A conversation must start with a user message."),
        (
            [turn("user", "a"), turn("user", "b")],
            "A conversation must alternate between user and assistant roles.",
        ),
        (
            [turn("user", "a"), turn("system", "b")],
            "The system message at messages.1 can only contain toolAddition",
        ),
        ([turn("user")], "The content field in the Message object at messages.0 is empty."),
        (
            [turn("user", "a", " \n")],
            "The text field in the ContentBlock object at messages.0.content.1 is blank.",
        ),
        ([turn("user", image("jpeg"))], "the image appears to be a image/png image"),
        (
            [turn("user", image("png", "aGVsbG8="))],
            "messages.0.content.0.image.source.base64: Could not process image",
        ),
        ([turn("user", *[image("png")] * 21)], "Too many images in the request: 21 > 20."),
        ([turn("user", document("a"))], "A text block must be included when using documents."),
        ([turn("user", "a", document("a.pdf"))], "contains invalid characters"),
        ([turn("user", "a", document("two  spaces"))], "contains invalid characters"),
        ([turn("user", "a", *[document("a")] * 6)], "Too many documents in the request: 6 > 5."),
    ],
)
def test_messages(messages: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ServiceError) as raised:
        check_conversation({"messages": messages})

    assert raised.value.name == "ValidationException"
    assert message in raised.value.message


def test_system_text_is_not_blank() -> None:
    with pytest.raises(ServiceError, match=r"SystemContentBlock object at system\.0 is blank"):
        check_conversation({"messages": [turn("user", "a")], "system": [{"text": " "}]})


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        (
            after_call(result("a", {"text": "x"})),
            _EXPECTED + "b",
        ),
        (
            after_call("no results"),
            _EXPECTED + "a, b",
        ),
        (
            after_call(result("a", {"text": "x"}), result("c", {"text": "x"})),
            _EXPECTED + "b",
        ),
        (
            after_call(result("a"), result("b"), result("c")),
            "toolResult blocks at messages.2.content exceeds the number of toolUse blocks of previous turn.",
        ),
        ([turn("user", result("a"))], "The number of toolResult blocks at messages.0.content exceeds"),
        (
            after_call(result("a"), result("a")),
            "The toolResult blocks at messages.2.content contain duplicate Ids: a",
        ),
        (
            [turn("user", "a"), turn("assistant", call("x"), call("x"))],
            "The toolUse blocks at messages.1.content contain duplicate Ids: x",
        ),
        ([turn("user", call("a"))], "The user message at messages.0.content cannot contain toolUse blocks."),
        ([turn("user", "a"), turn("assistant", result("a"))], "cannot contain toolResult blocks."),
        (
            [turn("user", "a"), turn("assistant", call("x", '{"city": "Rome"}'))],
            "The format of the value at messages.1.content.0.toolUse.input is invalid. Provide a json object",
        ),
        (
            after_call(result("a", {"json": [1]}), result("b")),
            "The format of the value at messages.2.content.0.toolResult.content.0.json is invalid.",
        ),
        (
            after_call(result("a", status="error"), result("b")),
            "messages.2.content.0.toolResult cannot be empty when status value is error.",
        ),
        (
            after_call(result("a", {"text": ""}), result("b")),
            "ContentBlock object at messages.2.content.0.toolResult.content.0 is blank.",
        ),
    ],
)
def test_tool_turns(messages: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ServiceError) as raised:
        check_conversation({"messages": messages, "toolConfig": _TOOLS})

    assert raised.value.name == "ValidationException"
    assert message in raised.value.message


def test_tool_blocks_need_a_tool_config() -> None:
    with pytest.raises(ServiceError, match="The toolConfig field must be defined"):
        check_conversation({"messages": after_call(result("a"), result("b"))})


@pytest.mark.parametrize(
    ("tool_config", "message"),
    [
        (
            {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": "{}"}}}]},
            "The format of the value at toolConfig.tools.0.toolSpec.inputSchema.json is invalid.",
        ),
        (
            {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}]},
            "toolConfig.tools.0.toolSpec.inputSchema.json.type must be one of the following: object.",
        ),
        ({"tools": _TOOLS["tools"] * 2}, "tools: Tool names must be unique."),
        (
            _TOOLS | {"toolChoice": {"tool": {"name": "g"}}},
            "tool_choice: Tool 'g' not found in provided tools",
        ),
    ],
)
def test_tool_configs(tool_config: dict[str, Any], message: str) -> None:
    with pytest.raises(ServiceError) as raised:
        check_conversation({"messages": [turn("user", "a")], "toolConfig": tool_config})

    assert message in raised.value.message


@pytest.mark.parametrize(
    ("model", "more", "message"),
    [
        (_HAIKU, {"inferenceConfig": {"maxTokens": 64000}}, "exceeds the model limit of 64000. Try again"),
        (_HAIKU_3, {"inferenceConfig": {"maxTokens": 4097}}, "exceeds the model limit of 4096. Try again"),
        (
            _HAIKU,
            {"inferenceConfig": {"temperature": 0.1, "topP": 0.9}},
            "cannot both be specified for this model",
        ),
        (
            _HAIKU,
            {"inferenceConfig": {"stopSequences": ["\n"]}},
            "each stop sequence must contain non-whitespace",
        ),
        (
            _NOVA,
            {"inferenceConfig": {"stopSequences": list("abcde")}},
            "expected maximum item count: 4, found: 5",
        ),
        (_NOVA, {"additionalModelRequestFields": {"top_k": 5}}, "#: extraneous key [top_k] is not permitted"),
        (
            _HAIKU,
            {"additionalModelRequestFields": {"frequency_penalty": 1}},
            "extraneous key [frequency_penalty]",
        ),
        (
            _HAIKU,
            {"additionalModelRequestFields": ["thinking"]},
            "The format of the value at additionalModelRequestFields",
        ),
    ],
)
def test_model_limits(model: Model, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ServiceError) as raised:
        check_request({"messages": [turn("user", "a")]} | more, model)

    assert raised.value.name == "ValidationException"
    assert message in raised.value.message


def test_models_take_what_is_within_their_limits() -> None:
    messages = [turn("user", "a")]
    check_request({"messages": messages, "inferenceConfig": {"maxTokens": 63999, "temperature": 0}}, _HAIKU)
    check_request(
        {"messages": messages, "inferenceConfig": {"maxTokens": 4096, "topP": 1, "temperature": 0}}, _HAIKU_3
    )
    check_request(
        {"messages": messages, "additionalModelRequestFields": {"inferenceConfig": {"topK": 5}}}, _NOVA
    )


def test_the_last_message_may_be_the_assistants_for_some_models() -> None:
    prefilled = {"messages": [turn("user", "a"), turn("assistant", "Sure,")]}
    check_request(prefilled, _HAIKU)

    with pytest.raises(ServiceError, match="does not support assistant message prefill"):
        check_request(prefilled, _SONNET)
    with pytest.raises(ServiceError, match="cannot end with trailing whitespace"):
        check_request({"messages": [turn("user", "a"), turn("assistant", "Sure, ")]}, _HAIKU)
