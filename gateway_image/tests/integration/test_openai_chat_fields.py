"""Fields of chat completions beyond the usual ones, by OpenAI's own client against the Bedrock simulator."""

from typing import Any

import openai
import pytest

from local.bedrock_simulator.process import RunningSimulator
from local.bedrock_simulator.replies import Reply, ReplyToolCall

HELLO: Any = [{"role": "user", "content": "weather?"}]
WEATHER: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
CALL = ReplyToolCall(name="weather", input={"city": "Lyon"})


def ask(client: openai.OpenAI, stream: bool, **asked: Any) -> Any:
    """The message that answers, from a whole answer or from a stream that the client gathers."""
    if not stream:
        return client.chat.completions.create(model="claude", **asked).choices[0].message
    with client.chat.completions.stream(model="claude", **asked) as events:
        return events.get_final_completion().choices[0].message


@pytest.mark.parametrize("stream", [False, True])
def test_thinking_goes_on_across_a_tool_call(
    client: openai.OpenAI, simulator: RunningSimulator, stream: bool
) -> None:
    simulator.control.add_reply(Reply(reasoning="Hm", tool_calls=(CALL,), times=1))
    asked: Any = {"tools": [WEATHER], "reasoning_effort": "low"}
    message = ask(client, stream, messages=HELLO, **asked).model_dump(exclude_none=True)
    assert message["reasoning_content"] == "Hm"
    [block] = message["thinking_blocks"]
    assert (block["thinking"], bool(block["signature"])) == ("Hm", True)
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "18 degrees"}
    message.pop("parsed", None)
    simulator.control.record_bodies(on=True)
    assert ask(client, stream, messages=[*HELLO, message, result], **asked).content
    sent = simulator.control.calls()[-1].body
    assert sent["additionalModelRequestFields"]["thinking"]["budget_tokens"] == 4000
    assert [next(iter(block)) for block in sent["messages"][1]["content"]] == ["reasoningContent", "toolUse"]


def test_one_call_at_a_time(client: openai.OpenAI, simulator: RunningSimulator) -> None:
    simulator.control.record_bodies(on=True)
    client.chat.completions.create(model="claude", messages=HELLO, tools=[WEATHER], parallel_tool_calls=False)
    sent = simulator.control.calls()[-1].body
    assert sent["additionalModelRequestFields"]["tool_choice"]["disable_parallel_tool_use"] is True


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"logprobs": True}, "logprobs"),
        ({"n": 2}, "n"),
        ({"seed": 1}, "seed"),
        ({"temperature": 1.5}, "temperature"),
        ({"response_format": {"type": "json_object"}}, "response_format.type"),
        ({"reasoning_effort": "xhigh"}, "reasoning_effort"),
        ({"extra_body": {"top_k": 5}}, "top_k"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens"),
    ],
)
def test_what_the_model_cannot_do_is_refused_by_name(
    client: openai.OpenAI, asked: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**{"model": "claude", "messages": HELLO, **asked})
    assert caught.value.param == param
