"""LangChain's OpenAI client by the Responses API: an agent's turn with tools and reasoning."""

from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI

from local.bedrock_simulator.process import RunningSimulator
from local.bedrock_simulator.replies import Reply, ReplyToolCall

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.mark.parametrize("stream", [False, True])
def test_a_turn_with_tools(gateway: Any, simulator: RunningSimulator, stream: bool) -> None:
    call = ReplyToolCall(name="weather", input={"city": "Lyon"})
    simulator.control.add_reply(Reply(reasoning="Hm", text="Let me look.", tool_calls=(call,), times=1))
    simulator.control.record_bodies(on=True)
    model = ChatOpenAI(
        model="claude",
        base_url=f"{gateway.url}/v1",
        api_key=gateway.key,
        use_responses_api=True,
        reasoning={"effort": "low", "summary": "auto"},
        max_retries=0,
    ).bind_tools([WEATHER])
    question = HumanMessage("weather?")
    pieces: list[Any] = list(model.stream([question])) if stream else [model.invoke([question])]
    answer = reduce(add, pieces)
    assert answer.tool_calls[0]["args"] == {"city": "Lyon"}
    result = ToolMessage("18 degrees", tool_call_id=answer.tool_calls[0]["id"])
    assert model.invoke([question, answer, result]).text
    turn = simulator.control.calls()[-1].body["messages"][1]["content"]
    assert [next(iter(block)) for block in turn] == ["reasoningContent", "text", "toolUse"]
