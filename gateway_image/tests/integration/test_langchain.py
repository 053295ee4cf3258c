"""LangChain's OpenAI client against a real gateway: what its users do with it."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from local.bedrock_simulator.process import RunningSimulator
from local.bedrock_simulator.replies import Reply, ReplyToolCall


class Weather(BaseModel):
    """The weather at a place."""

    city: str
    degrees: int


ChatModel = Callable[..., ChatOpenAI]


@pytest.fixture
def chat_model(gateway: Any) -> ChatModel:
    def create(model: str = "claude", **options: Any) -> ChatOpenAI:
        options = {"base_url": f"{gateway.url}/v1", "api_key": gateway.key, "max_retries": 0, **options}
        return ChatOpenAI(model=model, **options)

    return create


def test_a_conversation(chat_model: ChatModel) -> None:
    answer = chat_model(temperature=0.5, max_tokens=50).invoke(
        [
            SystemMessage("Be brief."),
            HumanMessage("Hello"),
            AIMessage("Hi!"),
            HumanMessage("answer with 7 words"),
        ]
    )
    assert len(str(answer.content).split()) == 7
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] == 7
    assert answer.response_metadata["finish_reason"] == "stop"


def test_a_stream_with_its_usage(chat_model: ChatModel) -> None:
    pieces = list(chat_model(stream_usage=True).stream("answer with 20 words"))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole = whole + piece
    assert len(pieces) > 10
    assert len(str(whole.content).split()) == 20
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] == 20


def test_a_tool_is_called_and_its_result_taken(chat_model: ChatModel) -> None:
    model = chat_model().bind_tools([Weather])
    question = HumanMessage("call tool Weather")
    call = model.invoke([question])
    (tool_call,) = call.tool_calls
    assert tool_call["name"] == "Weather"
    assert set(tool_call["args"]) == {"city", "degrees"}
    result = ToolMessage("It is sunny.", tool_call_id=tool_call["id"])
    assert model.invoke([question, call, result]).content == "Thank you for the tool results."


@pytest.mark.parametrize(
    ("method", "reply"),
    [
        ("json_schema", Reply(text='{"city": "Oslo", "degrees": 4}')),
        (
            "function_calling",
            Reply(tool_calls=(ReplyToolCall(name="Weather", input={"city": "Oslo", "degrees": 4}),)),
        ),
    ],
)
def test_structured_output(
    chat_model: ChatModel, simulator: RunningSimulator, method: Any, reply: Reply
) -> None:
    simulator.control.add_reply(reply)
    structured = chat_model().with_structured_output(Weather, method=method)
    assert structured.invoke("What is the weather in Oslo?") == Weather(city="Oslo", degrees=4)


def test_the_responses_api(chat_model: ChatModel) -> None:
    answer = chat_model(use_responses_api=True, store=False).invoke("answer with 5 words")
    assert len(answer.text.split()) == 5


async def _count(model: ChatOpenAI) -> int:
    return len([piece async for piece in model.astream("answer with 20 words")])


@pytest.mark.anyio
async def test_asynchronously(chat_model: ChatModel) -> None:
    assert await _count(chat_model()) > 10
