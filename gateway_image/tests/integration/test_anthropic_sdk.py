"""Anthropic's own client against a real gateway process and the Bedrock simulator."""

import base64
import json
import socket
import time
from collections.abc import Callable
from typing import Any

import anthropic
import pytest

from local.bedrock_simulator.answers import SIGNATURE
from local.bedrock_simulator.process import RunningSimulator
from local.bedrock_simulator.replies import Reply, ReplyToolCall

KEY = "key-of-the-test-suite-0123456789abcdef"
HELLO: Any = [{"role": "user", "content": "hello world"}]
ASK: Any = {"model": "claude", "max_tokens": 2000, "messages": HELLO}
WEATHER: Any = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

MakeClient = Callable[..., anthropic.Anthropic]


def sent(simulator: RunningSimulator) -> dict[str, Any]:
    """The body of the last call that Bedrock received."""
    body: dict[str, Any] = simulator.control.calls()[-1].body or {}
    return body


def test_a_message(claude: anthropic.Anthropic, gateway: Any) -> None:
    raw = claude.messages.with_raw_response.create(**ASK)
    message: Any = raw.parse()
    assert message.type == "message"
    assert message.model == "claude"
    assert message.stop_reason == "end_turn"
    assert "hello world" in message.content[0].text
    assert message.usage.input_tokens == 2
    assert message.usage.output_tokens > 0
    assert message._request_id == raw.headers["x-request-id"]
    assert raw.headers["x-gatehouse-deployment"] == "claude-us"
    record = gateway.record(raw.headers["request-id"])
    assert (record["operation"], record["status"], record["caller"]) == ("messages", 200, "suite")
    assert (record["input_tokens"], record["output_tokens"]) == (2, message.usage.output_tokens)


def test_a_stream_arrives_as_it_is_made(
    claude: anthropic.Anthropic, gateway: Any, simulator: RunningSimulator
) -> None:
    simulator.control.add_reply(Reply(words=200))
    arrivals = []
    with claude.messages.stream(**ASK) as stream:
        for text in stream.text_stream:
            assert text
            arrivals.append(time.monotonic())
        message: Any = stream.get_final_message()
    assert len(message.content[0].text.split()) == 200
    assert (message.model, message.stop_reason) == ("claude", "end_turn")
    assert message.usage.output_tokens == 200
    # 200 words at 100 a second: held back, they would come at once.
    assert arrivals[-1] - arrivals[0] > 0.1
    record = gateway.record(stream.request_id)
    assert record["streamed"] is True
    assert (record["input_tokens"], record["output_tokens"]) == (2, 200)
    assert record.get("usage_estimated") is None


def test_the_wire_holds_what_anthropics_does(gateway: Any) -> None:
    body = json.dumps(ASK | {"stream": True}).encode()
    status, headers, answer = gateway.request("POST", "/v1/messages?beta=true", body)
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    names = []
    for event in answer.decode().removesuffix("\n\n").split("\n\n"):
        name, data = event.split("\n")
        assert json.loads(data.removeprefix("data: "))["type"] == name.removeprefix("event: ")
        names.append(name.removeprefix("event: "))
    assert names[:3] == ["message_start", "content_block_start", "content_block_delta"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert b"amazon-bedrock" not in answer


@pytest.mark.parametrize("stream", [False, True])
def test_a_loop_of_tools(claude: anthropic.Anthropic, simulator: RunningSimulator, stream: bool) -> None:
    simulator.control.add_reply(
        Reply(
            reasoning="Two cities.",
            tool_calls=(
                ReplyToolCall(name="weather", input={"city": "Lyon"}),
                ReplyToolCall(name="weather", input={"city": "Kyōto"}),
            ),
            times=1,
        )
    )
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    request: Any = ASK | {"tools": [WEATHER | {"eager_input_streaming": True}], "thinking": thinking}
    betas: Any = {"extra_headers": {"anthropic-beta": "fine-grained-tool-streaming-2025-05-14"}}
    if stream:
        with claude.messages.stream(**request, **betas) as events:
            first: Any = events.get_final_message()
    else:
        first = claude.messages.create(**request, **betas)
    assert first.stop_reason == "tool_use"
    thought, *calls = first.content
    assert (thought.type, thought.thinking, thought.signature) == ("thinking", "Two cities.", SIGNATURE)
    assert [call.input for call in calls] == [{"city": "Lyon"}, {"city": "Kyōto"}]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees"} for call in calls]
    answered = {"role": "user", "content": results}
    turns = [*HELLO, {"role": "assistant", "content": first.content}, answered]
    # The simulator refuses thoughts that are missing or whose signature has been touched.
    second = claude.messages.create(**request | {"messages": turns}, **betas)
    assert second.stop_reason == "end_turn"


def test_everything_a_message_can_hold(claude: anthropic.Anthropic, simulator: RunningSimulator) -> None:
    simulator.control.record_bodies(on=True)
    pdf = base64.b64encode(b"%PDF-1.4 nothing").decode()
    content: Any = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": pdf},
            "title": "A report",
            "citations": {"enabled": True},
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Grüß Gott"}},
        {"type": "text", "text": "What is it?"},
    ]
    message = claude.messages.create(
        model="claude",
        max_tokens=100,
        messages=[{"role": "user", "content": content}],
        system=[{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
        extra_body={"temperature": 0.5, "top_k": 40},
        stop_sequences=["is"],
        metadata={"user_id": "somebody"},
        tools=[WEATHER],
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
    )
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "is")
    body = sent(simulator)
    assert body["messages"][0]["content"] == content
    assert body["anthropic_version"] == "bedrock-2023-05-31"
    assert body.keys() == {
        "anthropic_version", "max_tokens", "messages", "metadata", "stop_sequences", "system", "temperature",
        "tool_choice", "tools", "top_k",
    }  # fmt: skip


def test_what_claude_code_sends(make_anthropic: MakeClient, simulator: RunningSimulator) -> None:
    simulator.control.record_bodies(on=True)
    claude = make_anthropic(auth_token=KEY, api_key=None, default_headers={"x-app": "cli"})
    ask: Any = {"type": "text", "text": "call tool weather", "cache_control": {"type": "ephemeral"}}
    with claude.beta.messages.stream(
        model="claude",
        max_tokens=32_000,
        betas=[
            "claude-code-20250219",
            "oauth-2025-04-20",
            "interleaved-thinking-2025-05-14",
            "fine-grained-tool-streaming-2025-05-14",
            "context-management-2025-06-27",
            "prompt-caching-scope-2026-01-05",
        ],
        system=[
            {"type": "text", "text": "You are an agent."},
            {"type": "text", "text": "Rules.", "cache_control": {"type": "ephemeral"}},
        ],
        metadata={"user_id": "user_0_account__session_1"},
        thinking={"type": "enabled", "budget_tokens": 31_999},
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        tools=[WEATHER],
        messages=[{"role": "user", "content": [ask]}],
    ) as stream:
        message = stream.get_final_message()
    assert message.stop_reason == "tool_use"
    assert [block.type for block in message.content] == ["thinking", "tool_use"]
    assert sent(simulator)["anthropic_beta"] == [
        "interleaved-thinking-2025-05-14",
        "fine-grained-tool-streaming-2025-05-14",
        "context-management-2025-06-27",
    ]


def test_betas_in_several_headers(gateway: Any, simulator: RunningSimulator) -> None:
    simulator.control.record_bodies(on=True)
    body = json.dumps(ASK).encode()
    head = (
        "POST /v1/messages HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n"
        f"x-api-key: {KEY}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        "anthropic-beta: context-1m-2025-08-07\r\nanthropic-beta: effort-2025-11-24\r\n\r\n"
    )
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(head.encode() + body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    assert sent(simulator)["anthropic_beta"] == ["context-1m-2025-08-07", "effort-2025-11-24"]


def test_tokens_are_counted(claude: anthropic.Anthropic, gateway: Any) -> None:
    counted = claude.messages.with_raw_response.count_tokens(
        model="claude", messages=HELLO, system="Be kind.", tools=[WEATHER], thinking={"type": "disabled"}
    )
    used = claude.messages.create(**ASK, system="Be kind.", tools=[WEATHER])
    assert counted.parse().input_tokens == used.usage.input_tokens
    assert gateway.record(counted.headers["request-id"])["operation"] == "count_tokens"


def test_tokens_are_counted_with_thinking(claude: anthropic.Anthropic) -> None:
    thinking: Any = {"type": "enabled", "budget_tokens": 10_000}
    assert claude.messages.count_tokens(model="claude", messages=HELLO, thinking=thinking).input_tokens == 2


def test_what_a_guardrail_says_instead_is_an_answer(
    claude: anthropic.Anthropic, simulator: RunningSimulator
) -> None:
    words = "We do not talk about that."
    simulator.control.add_reply(Reply(text=words, stop_reason="guardrail_intervened"))
    message: Any = claude.messages.create(**ASK)
    assert (message.content[0].text, message.stop_reason) == (words, "refusal")
    assert message.usage.output_tokens == 0
    assert len(simulator.control.calls()) == 1


def test_the_models_can_be_listed(claude: anthropic.Anthropic) -> None:
    assert [model.id for model in claude.models.list()] == ["claude", "fast"]
    assert claude.models.retrieve("fast").id == "fast"
