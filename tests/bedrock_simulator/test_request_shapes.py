"""Whatever botocore's service model tells about a request is held to, in the service's words."""

import re
from typing import Any

import pytest

from local.bedrock_simulator.errors import ServiceError
from local.bedrock_simulator.shapes import ServiceShapes

_SHAPES = ServiceShapes()
_TEXT = [{"text": "Hello"}]
_IMAGE = {"format": "png", "source": {"bytes": "aGVsbG8="}}


def user(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def refusal_of(body: dict[str, Any], operation: str = "Converse") -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        _SHAPES.check_body(operation, body)
    return raised.value


def test_a_request_with_every_kind_of_member_passes() -> None:
    result = {"toolUseId": "call-1", "content": [{"json": {"any": [1, None, True]}}], "status": "success"}
    _SHAPES.check_body(
        "Converse",
        user(
            {"text": "Hello"}, {"image": _IMAGE}, {"toolResult": result}, {"cachePoint": {"type": "default"}}
        )
        | {
            "system": [{"text": "Be kind"}],
            "inferenceConfig": {"maxTokens": 1, "temperature": 0.5, "topP": 1, "stopSequences": ["x"]},
            "toolConfig": {
                "tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]
            },
            "additionalModelRequestFields": {"anything": "goes"},
            "requestMetadata": {"team": "platform"},
            "performanceConfig": {"latency": "standard"},
        },
    )


def test_null_members_count_as_absent() -> None:
    _SHAPES.check_body("Converse", user(*_TEXT) | {"system": None, "inferenceConfig": {"maxTokens": None}})


@pytest.mark.parametrize(
    ("body", "path", "constraint"),
    [
        (
            {"messages": [{"role": "tool", "content": _TEXT}]},
            "messages.1.member.role",
            "satisfy enum value set: [assistant, system, user]",
        ),
        (
            user({"text": "a"}, {"image": _IMAGE | {"format": "jpg"}}),
            "messages.1.member.content.2.member.image.format",
            "satisfy enum value set: [gif, jpeg, png, webp]",
        ),
        ({"toolConfig": {"tools": []}}, "toolConfig.tools", "have length greater than or equal to 1"),
        (
            user({"image": {"format": "png", "source": {"bytes": ""}}}),
            "messages.1.member.content.1.member.image.source.bytes",
            "have length greater than or equal to 1",
        ),
        (
            user({"toolUse": {"toolUseId": "i" * 65, "name": "f", "input": {}}}),
            "messages.1.member.content.1.member.toolUse.toolUseId",
            "have length less than or equal to 64",
        ),
        (
            user({"toolUse": {"toolUseId": "i", "name": "no spaces", "input": {}}}),
            "messages.1.member.content.1.member.toolUse.name",
            "satisfy regular expression pattern: [a-zA-Z0-9_-]+",
        ),
        (
            {"inferenceConfig": {"maxTokens": 0}},
            "inferenceConfig.maxTokens",
            "have value greater than or equal to 1",
        ),
        (
            {"inferenceConfig": {"temperature": 1.5}},
            "inferenceConfig.temperature",
            "have value less than or equal to 1",
        ),
    ],
)
def test_constraints(body: dict[str, Any], path: str, constraint: str) -> None:
    refusal = refusal_of(body)

    problem = f"Value at '{path}' failed to satisfy constraint: Member must {constraint}"
    assert (refusal.name, refusal.message) == (
        "ValidationException",
        f"1 validation error detected: {problem}",
    )


def test_required_members() -> None:
    assert refusal_of({"messages": [{"role": "user"}]}).message == (
        "1 validation error detected: Value null at 'messages.1.member.content' failed to satisfy "
        "constraint: Member must not be null"
    )


def test_all_problems_are_told_at_once() -> None:
    message = refusal_of({"inferenceConfig": {"maxTokens": 0, "topP": 2}}).message

    assert message.startswith("2 validation errors detected: ")
    assert "'inferenceConfig.maxTokens'" in message
    assert "'inferenceConfig.topP'" in message


def test_map_values_have_constraints_of_their_own() -> None:
    assert refusal_of({"requestMetadata": {"user": '{"id":1}'}}).message == (
        "1 validation error detected: Value at 'requestMetadata' failed to satisfy constraint: "
        "Map value must satisfy constraint: [Member must satisfy regular expression pattern: "
        "[a-zA-Z0-9\\s:_@$#=/+,-.]{0,256}]"
    )


def test_unknown_members() -> None:
    assert refusal_of(user({"type": "text", "text": "Hello"})).message == (
        "Malformed input request: #/messages/0/content/0: extraneous key [type] is not permitted, "
        "please reformat your input and try again."
    )


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({}, "must set one of the following keys: text, image"),
        ({"text": "Hello", "image": _IMAGE}, "can only set one of the following keys: text, image"),
    ],
)
def test_a_union_has_exactly_one_member(block: dict[str, Any], message: str) -> None:
    refusal = refusal_of(user(block))

    assert refusal.name == "ValidationException"
    assert refusal.message.startswith(f"The ContentBlock object at messages.0.content.0 {message}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"messages": "Hello"}, "STRING_VALUE can not be converted to List"),
        ({"messages": [{"role": "user", "content": "Hello"}]}, "STRING_VALUE can not be converted to List"),
        (user({"text": 1}), "NUMBER_VALUE can not be converted to String"),
        ({"inferenceConfig": {"maxTokens": 1.5}}, "DECIMAL_VALUE can not be converted to Integer"),
        ({"inferenceConfig": {"maxTokens": "5"}}, "STRING_VALUE can not be converted to Integer"),
        ({"inferenceConfig": {"temperature": True}}, "BOOLEAN_VALUE can not be converted to Float"),
        ({"inferenceConfig": []}, "START_ARRAY can not be converted to Object"),
        ({"requestMetadata": []}, "START_ARRAY can not be converted to Map"),
        (
            user({"document": {"name": "d", "source": {"text": "t"}, "citations": {"enabled": 1}}}),
            "NUMBER_VALUE can not be converted to Boolean",
        ),
        (user({"image": {"format": "png", "source": {"bytes": "not base64!"}}}), "is not valid base64"),
    ],
)
def test_types(body: dict[str, Any], message: str) -> None:
    refusal = refusal_of(body)

    assert refusal.name == "SerializationException"
    assert refusal.message.endswith(message)


def test_other_operations_have_their_own_members() -> None:
    _SHAPES.check_body("ConverseStream", user(*_TEXT) | {"guardrailConfig": {"streamProcessingMode": "sync"}})

    assert "extraneous key [guardrailConfig]" in refusal_of({"guardrailConfig": {}}, "CountTokens").message
    assert "'input'" in refusal_of({}, "CountTokens").message


def test_a_model_id_has_a_form() -> None:
    _SHAPES.check_model_id("Converse", "us.anthropic.claude-haiku-4-5-20251001-v1:0")

    with pytest.raises(ServiceError, match=re.escape("Value at 'modelId' failed to satisfy constraint")):
        _SHAPES.check_model_id("Converse", "no spaces, please")
