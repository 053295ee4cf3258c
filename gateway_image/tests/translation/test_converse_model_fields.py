"""What Converse itself has no field for, or not for every model: reasoning, single calls, guardrails."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.errors import GatewayError

Json = dict[str, Any]
Translate = Callable[..., Json]
Refusal = Callable[..., GatewayError]

TOOLS = [{"type": "function", "function": {"name": name}} for name in ("a", "b")]
HAIKU_4_5 = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
GUARDRAIL = {"identifier": "gr1a2b3c4d5e", "version": "3"}


ADAPTIVE = {"thinking": {"type": "adaptive", "display": "summarized"}}


def budget(tokens: int) -> Json:
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


@pytest.mark.parametrize(
    ("model", "effort", "fields", "converse_effort"),
    [
        ("anthropic.claude-sonnet-4-6", "high", ADAPTIVE, "high"),
        ("global.anthropic.claude-opus-4-7", "max", ADAPTIVE, "max"),
        ("anthropic.claude-sonnet-5", "low", ADAPTIVE, "low"),
        (HAIKU_4_5, "minimal", budget(1024), None),
        (HAIKU_4_5, "medium", budget(2500), None),
        ("anthropic.claude-sonnet-4-20250514-v1:0", "high", budget(4000), None),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", "low", budget(1024), None),
        (NOVA_2, "low", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}, None),
        ("openai.gpt-oss-120b-1:0", "high", {"reasoning_effort": "high"}, None),
        ("us.openai.gpt-5.2", "xhigh", {"reasoning": {"effort": "xhigh"}}, None),
        ("deepseek.v3-v1:0", "medium", None, "medium"),
        (HAIKU_4_5, "none", None, None),
        (NOVA_2, "none", None, None),
    ],
)
def test_each_family_is_told_in_its_way_how_hard_to_think(
    translate: Translate, model: str, effort: str, fields: Json | None, converse_effort: str | None
) -> None:
    body = translate(foundation_model=model, reasoning_effort=effort)
    assert body.get("additionalModelRequestFields") == fields
    assert body.get("outputConfig", {}).get("effort") == converse_effort
    assert body["inferenceConfig"] == {"maxTokens": 5000}


@pytest.mark.parametrize(
    ("model", "effort"),
    [
        (HAIKU_4_5, "xhigh"),
        ("anthropic.claude-sonnet-4-6", "minimal"),
        ("amazon.nova-2-lite-v1:0", "max"),
        ("openai.gpt-oss-120b-1:0", "none"),
    ],
)
def test_an_effort_that_the_model_does_not_have_is_refused(refusal: Refusal, model: str, effort: str) -> None:
    error = refusal(foundation_model=model, reasoning_effort=effort)
    assert error.param == "reasoning_effort"
    assert repr(effort) in error.message
    assert "allowed by this model: " in error.message


def test_a_budget_needs_a_limit_that_leaves_room_for_the_answer(
    refusal: Refusal, translate: Translate
) -> None:
    error = refusal(reasoning_effort="low", max_completion_tokens=1024)
    assert (error.param, error.code) == ("reasoning_effort", "invalid_value")
    assert "more than 1024" in error.message
    translate(reasoning_effort="low", max_completion_tokens=1025)


def test_nova_refuses_a_limit_at_high_effort_so_only_the_callers_is_sent(translate: Translate) -> None:
    asked: Json = {"foundation_model": "amazon.nova-2-lite-v1:0", "reasoning_effort": "high"}
    assert "inferenceConfig" not in translate(**asked)
    assert translate(**asked, max_tokens=70)["inferenceConfig"] == {"maxTokens": 70}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, {"type": "auto"}),
        ("auto", {"type": "auto"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "b"}}, {"type": "tool", "name": "b"}),
    ],
)
def test_claude_is_limited_to_one_call_by_its_own_tool_choice(
    translate: Translate, choice: object, expected: Json
) -> None:
    body = translate(tools=TOOLS, tool_choice=choice, parallel_tool_calls=False)
    # Both would contradict one another.
    assert "toolChoice" not in body["toolConfig"]
    assert body["additionalModelRequestFields"] == {
        "tool_choice": {**expected, "disable_parallel_tool_use": True}
    }


def test_other_models_cannot_be_limited_to_one_call(refusal: Refusal, translate: Translate) -> None:
    asked: Json = {"foundation_model": "amazon.nova-lite-v1:0", "parallel_tool_calls": False}
    assert refusal(tools=TOOLS, **asked).param == "parallel_tool_calls"
    # Without tools to call there is nothing to limit.
    translate(**asked)


def test_thinking_and_single_calls_go_together(translate: Translate) -> None:
    body = translate(tools=TOOLS, parallel_tool_calls=False, reasoning_effort="low")
    assert set(body["additionalModelRequestFields"]) == {"thinking", "tool_choice"}


def test_the_guardrail_of_the_deployment_is_applied(translate: Translate) -> None:
    expected = {"guardrailIdentifier": "gr1a2b3c4d5e", "guardrailVersion": "3", "trace": "disabled"}
    assert translate(guardrail=GUARDRAIL)["guardrailConfig"] == expected
    streamed = translate(guardrail=GUARDRAIL, stream=True)
    # Otherwise text would be shown before the guardrail has seen it.
    assert streamed["guardrailConfig"] == expected | {"streamProcessingMode": "sync"}
    assert "guardrailConfig" not in translate()


THINKING = [
    {"type": "thinking", "thinking": "Hm", "signature": "sig", "index": 0},
    {"type": "redacted_thinking", "data": "AAAA"},
]


def conversation() -> list[Json]:
    call = {"id": "t1", "type": "function", "function": {"name": "a", "arguments": "{}"}}
    assistant = {"role": "assistant", "content": None, "reasoning_content": "Hm", "tool_calls": [call]}
    return [
        {"role": "user", "content": "x"},
        assistant | {"thinking_blocks": THINKING},
        {"role": "tool", "tool_call_id": "t1", "content": "sunny"},
    ]


def test_claude_goes_on_from_its_signed_thoughts(translate: Translate) -> None:
    turn = translate(*conversation(), tools=TOOLS)["messages"][1]["content"]
    assert turn == [
        {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": "AAAA"}},
        {"toolUse": {"toolUseId": "t1", "name": "a", "input": {}}},
    ]


def test_other_models_do_not_get_thoughts_they_would_refuse(translate: Translate) -> None:
    body = translate(*conversation(), tools=TOOLS, foundation_model="amazon.nova-lite-v1:0")
    assert [list(block) for block in body["messages"][1]["content"]] == [["toolUse"]]


def test_redacted_thoughts_that_are_damaged_are_refused(refusal: Refusal) -> None:
    messages = conversation()
    messages[1]["thinking_blocks"] = [{"type": "redacted_thinking", "data": "!"}]
    assert refusal(*messages, tools=TOOLS).param == "messages[1].thinking_blocks[0].data"
