"""What Claude and Titan refuse of bodies in their own formats."""

from typing import Any

import pytest

from local.bedrock_simulator import anthropic_rules, titan_embedding
from local.bedrock_simulator.answers import SIGNATURE
from local.bedrock_simulator.errors import ServiceError
from local.bedrock_simulator.scenario import load_scenario

_MODELS = {model.id: model for model in load_scenario().models}
_HAIKU = _MODELS["anthropic.claude-haiku-4-5-20251001-v1:0"]
_SONNET = _MODELS["anthropic.claude-sonnet-4-6"]
_USE: dict[str, Any] = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}],
}
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


_TOOL = {"name": "f", "input_schema": {"type": "object"}}
_THINK = {"type": "enabled", "budget_tokens": 1024}
_CACHED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}


def said(*blocks: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


def test_claude_takes_what_agents_send() -> None:
    thought = {"type": "thinking", "thinking": "So:", "signature": SIGNATURE}
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="}
    anthropic_rules.check_body(
        body(
            said(_CACHED, {"type": "document", "source": pdf, "title": "A report"}),
            said(thought, *_USE["content"], role="assistant"),
            _RESULT,
            max_tokens=2000,
            system=[_CACHED],
            thinking=_THINK,
            tools=[
                _TOOL | {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
                {"type": "bash_20250124", "name": "bash"},
            ],
            tool_choice={"type": "auto", "disable_parallel_tool_use": True},
            metadata={"user_id": "u"},
            context_management={"edits": []},
            anthropic_beta=["context-management-2025-06-27"],
        ),
        _HAIKU,
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"anthropic_beta": ["oauth-2025-04-20"]}, "invalid beta flag"),
        ({"anthropic_beta": "context-1m-2025-08-07"}, "anthropic_beta: Input should be a valid list"),
        ({"context_management": {"edits": []}}, "context_management: Extra inputs are not permitted"),
        ({"metadata": {"user": "u"}}, "metadata.user: Extra inputs are not permitted"),
        ({"thinking": {"type": "on"}}, "thinking: Input tag does not match"),
        ({"thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field required"),
        ({"thinking": {"type": "enabled", "budget_tokens": 5}}, "greater than or equal to 1024"),
        ({"thinking": _THINK}, "`max_tokens` must be greater than `thinking.budget_tokens`"),
        ({"thinking": {"type": "adaptive"}, "temperature": 0.5}, "`temperature` may only be set to 1"),
        ({"tools": {"f": {}}}, "tools: Input should be a valid list"),
        ({"tools": [{"name": "a b", "input_schema": {}}]}, "tools.0.custom.name: String should match"),
        ({"tools": [{"name": "f"}]}, "tools.0.custom.input_schema: Field required"),
        ({"tools": [{"name": "f", "input_schema": {}}]}, "input_schema.type: Input should be 'object'"),
        ({"tools": [_TOOL | {"defer_loading": True}]}, "tools.0.custom.defer_loading: Extra inputs"),
        ({"tools": [{"type": "web_search_20250305", "name": "s"}]}, "Input tag 'web_search_20250305' found"),
        ({"tools": [_TOOL, _TOOL]}, "Tool names must be unique"),
        ({"tools": [_TOOL], "tool_choice": {"type": "some"}}, "tool_choice: Input tag does not match"),
        ({"tools": [_TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "Tool 'g' not found"),
        (
            {"tools": [_TOOL], "tool_choice": {"type": "auto", "name": "f"}},
            "tool_choice.auto.name: Extra inputs",
        ),
        ({"system": [_CACHED] * 5}, "A maximum of 4 blocks with cache_control may be provided. Found 5."),
        (
            {"tools": [_TOOL | {"cache_control": {"type": "ephemeral", "scope": "global"}}]},
            "tools.0.cache_control.ephemeral.scope: Extra inputs are not permitted",
        ),
        ({"system": [_CACHED | {"cache_control": {"type": "ephemeral", "ttl": "1d"}}]}, "'5m' or '1h'"),
    ],
)
def test_claude_refuses_fields(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ServiceError) as raised:
        anthropic_rules.check_body(body(**more), _HAIKU)

    assert message in raised.value.message


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"type": "text", "text": "x", "id": "1"}, "messages.0.content.0.text.id: Extra inputs"),
        (
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
            "Input tag 'url' found using 'type' does not match any of the expected tags: 'base64'",
        ),
        (
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "aGVsbG8="},
            },
            "The PDF specified was not valid",
        ),
        (
            {"type": "thinking", "thinking": "So:", "signature": "forged"},
            "Invalid `signature` in `thinking` block",
        ),
        ({"type": "tool_use", "id": "a", "name": "f", "input": "{}"}, "tool_use.input: Input should be"),
    ],
)
def test_claude_refuses_blocks(block: dict[str, Any], message: str) -> None:
    with pytest.raises(ServiceError) as raised:
        anthropic_rules.check_body(body(said(block)), _HAIKU)

    assert message in raised.value.message


def test_thoughts_must_come_back_with_the_tool_calls_they_led_to() -> None:
    turns = ({"role": "user", "content": "Hello"}, _USE, _RESULT)
    with pytest.raises(ServiceError, match="must start with a thinking block"):
        anthropic_rules.check_body(body(*turns, max_tokens=2000, thinking=_THINK), _HAIKU)
    anthropic_rules.check_body(body(*turns, max_tokens=2000), _HAIKU)


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
