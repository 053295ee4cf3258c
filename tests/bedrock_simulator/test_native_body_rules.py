"""What Claude and Titan refuse of bodies in their own formats."""

from typing import Any

import pytest

from local.bedrock_simulator import anthropic_rules, titan_embedding
from local.bedrock_simulator.errors import ServiceError
from local.bedrock_simulator.scenario import load_scenario

_MODELS = {model.id: model for model in load_scenario().models}
_HAIKU = _MODELS["anthropic.claude-haiku-4-5-20251001-v1:0"]
_SONNET = _MODELS["anthropic.claude-sonnet-4-6"]
_USE = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}
_RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "yes"}]}


def body(*messages: Any, **more: Any) -> dict[str, Any]:
    fixed = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 10}
    return fixed | {"messages": list(messages) or [{"role": "user", "content": "Hello"}]} | more


def test_claude_takes_a_sound_body() -> None:
    anthropic_rules.check_body(
        body({"role": "user", "content": "Hello"}, _USE, _RESULT, system="Be kind"), _HAIKU
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (body() | {"anthropic_version": "2023-06-01"}, "anthropic_version: Invalid API version"),
        ({"anthropic_version": "bedrock-2023-05-31", "messages": []}, "max_tokens: Field required"),
        (body(model="claude"), "model: Extra inputs are not permitted"),
        (body(stream=True), "stream: Extra inputs are not permitted"),
        (body(max_tokens=0), "max_tokens: Input should be greater than or equal to 1"),
        (
            body(max_tokens=64001),
            "max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens",
        ),
        (body(temperature=2), "temperature: range: 0..1"),
        (body(temperature=1, top_p=1), "cannot both be specified"),
        (body(stop_sequences=[" "]), "each stop sequence must contain non-whitespace"),
        (body() | {"messages": []}, "messages: at least one message is required"),
        (body({"role": "assistant", "content": "Hello"}), 'first message must use the "user" role'),
        (
            body({"role": "system", "content": "Hello"}),
            "messages.0.role: Input should be 'user' or 'assistant'",
        ),
        (body({"role": "user", "content": ""}), "messages.0: all messages must have non-empty content"),
        (
            body({"role": "user", "content": [{"type": "text", "text": " "}]}),
            "text content blocks must be non-empty",
        ),
        (
            body({"role": "user", "content": [{"type": "video"}]}),
            "messages.0.content.0: Input tag does not match",
        ),
        (
            body(
                {
                    "role": "user",
                    "content": [{"type": "image", "source": {"type": "base64", "data": "aGVsbG8="}}],
                }
            ),
            "Could not process image",
        ),
        (
            body({"role": "user", "content": "Hello"}, _USE, {"role": "user", "content": "x"}),
            "without `tool_result` blocks",
        ),
        (body(_RESULT), "unexpected `tool_use_id` found in `tool_result` blocks: a"),
    ],
)
def test_claude_refuses(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ServiceError) as raised:
        anthropic_rules.check_body(given, _HAIKU)

    assert raised.value.name == "ValidationException"
    assert message in raised.value.message


def test_newer_models_want_the_last_word_from_the_user() -> None:
    prefilled = body({"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Sure,"})
    anthropic_rules.check_body(prefilled, _HAIKU)

    with pytest.raises(ServiceError, match="does not support assistant message prefill"):
        anthropic_rules.check_body(prefilled, _SONNET)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "#: required key [inputText] not found"),
        ({"inputText": ""}, "#/inputText: expected minLength: 1, actual: 0"),
        ({"inputText": ["a"]}, "#/inputText: expected type: String"),
        ({"inputText": "a", "dimensions": 100}, "#/dimensions: 100 is not a valid enum value"),
        ({"inputText": "a", "normalize": "yes"}, "#/normalize: expected type: Boolean"),
        ({"inputText": "a", "embeddingTypes": ["int8"]}, "#/embeddingTypes: is not a valid enum value"),
        ({"inputText": "a", "input": "a"}, "#: extraneous key [input] is not permitted"),
    ],
)
def test_titan_refuses(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ServiceError) as raised:
        titan_embedding.check_body(given)

    assert message in raised.value.message
