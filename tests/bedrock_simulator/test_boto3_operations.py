"""boto3, unchanged but for its endpoint, gets what it would get from Bedrock."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.bedrock_simulator.process import RunningSimulator
from local.bedrock_simulator.replies import Reply, ReplyToolCall

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
HAIKU_3 = "anthropic.claude-3-haiku-20240307-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"

WEATHER = {
    "toolSpec": {
        "name": "get_weather",
        "inputSchema": {
            "json": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        },
    }
}
TIME = {"toolSpec": {"name": "get_time", "inputSchema": {"json": {"type": "object"}}}}


def said(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"text": text}]}]


def messages_body(text: str, **more: Any) -> str:
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100}
    return json.dumps(body | {"messages": [{"role": "user", "content": text}]} | more)


def test_converse_echoes_with_usage_and_request_id(client: Any) -> None:
    response = client.converse(
        modelId=NOVA,
        messages=said("Hello there"),
        system=[{"text": "Be kind please"}],
        inferenceConfig={"maxTokens": 50},
    )

    assert response["output"]["message"] == {
        "role": "assistant",
        "content": [{"text": "You said: Hello there"}],
    }
    assert response["stopReason"] == "end_turn"
    assert response["usage"]["inputTokens"] == 5
    assert response["usage"]["outputTokens"] == 4
    assert response["usage"]["totalTokens"] == 9
    headers = response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-simulator-region"] == "us-east-1"
    assert len(response["ResponseMetadata"]["RequestId"]) == 36


def test_converse_stream_sends_the_same_answer_in_events(client: Any) -> None:
    response = client.converse_stream(modelId=HAIKU, messages=said("Hello there"))
    events = list(response["stream"])

    assert [next(iter(event)) for event in events] == [
        "messageStart",
        *["contentBlockDelta"] * 4,
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]
    text = "".join(event["contentBlockDelta"]["delta"]["text"] for event in events[1:5])
    assert text == "You said: Hello there"
    assert events[-2]["messageStop"]["stopReason"] == "end_turn"
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 4


def test_converse_calls_the_tool_the_prompt_names(client: Any) -> None:
    response = client.converse(
        modelId=HAIKU, messages=said("Please call tool get_weather"), toolConfig={"tools": [WEATHER, TIME]}
    )

    (block,) = response["output"]["message"]["content"]
    assert response["stopReason"] == "tool_use"
    assert block["toolUse"]["name"] == "get_weather"
    assert block["toolUse"]["input"] == {"city": "sample"}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [({"any": {}}, ["get_weather"]), ({"tool": {"name": "get_time"}}, ["get_time"]), ({"auto": {}}, [])],
)
def test_converse_obeys_a_tool_choice(client: Any, choice: dict[str, Any], expected: list[str]) -> None:
    response = client.converse(
        modelId=HAIKU, messages=said("Hello"), toolConfig={"tools": [WEATHER, TIME], "toolChoice": choice}
    )

    content = response["output"]["message"]["content"]
    assert [block["toolUse"]["name"] for block in content if "toolUse" in block] == expected


def test_converse_takes_tool_results(client: Any) -> None:
    call = client.converse(
        modelId=HAIKU,
        messages=said("call tool get_weather and call tool get_time"),
        toolConfig={"tools": [WEATHER, TIME]},
    )["output"]["message"]
    results = [
        {"toolResult": {"toolUseId": block["toolUse"]["toolUseId"], "content": [{"json": {"degrees": 20}}]}}
        for block in call["content"]
    ]

    answer = client.converse(
        modelId=HAIKU,
        messages=[
            *said("call tool get_weather and call tool get_time"),
            call,
            {"role": "user", "content": results},
        ],
        toolConfig={"tools": [WEATHER, TIME]},
    )

    assert len(results) == 2
    assert answer["output"]["message"]["content"] == [{"text": "Thank you for the tool results."}]


def test_converse_stream_sends_tool_input_in_pieces(client: Any) -> None:
    response = client.converse_stream(
        modelId=HAIKU, messages=said("call tool get_weather"), toolConfig={"tools": [WEATHER]}
    )
    events = list(response["stream"])

    start = events[1]["contentBlockStart"]["start"]["toolUse"]
    pieces = [event["contentBlockDelta"]["delta"]["toolUse"]["input"] for event in events[2:-3]]
    assert start["name"] == "get_weather"
    assert len(pieces) > 2
    assert json.loads("".join(pieces)) == {"city": "sample"}
    assert events[-2]["messageStop"]["stopReason"] == "tool_use"


def test_converse_with_thinking_reasons_first(client: Any) -> None:
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    request = {"modelId": HAIKU, "messages": said("Hello"), "additionalModelRequestFields": thinking}

    plain = client.converse(**request)["output"]["message"]["content"]
    events = list(client.converse_stream(**request)["stream"])

    assert plain[0]["reasoningContent"]["reasoningText"]["signature"]
    assert plain[1] == {"text": "You said: Hello"}
    deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    streamed = [delta["reasoningContent"] for delta in deltas if "reasoningContent" in delta]
    assert (
        "".join(part.get("text", "") for part in streamed)
        == plain[0]["reasoningContent"]["reasoningText"]["text"]
    )
    assert "signature" in streamed[-1]


def test_converse_stops_at_max_tokens_and_at_stop_sequences(client: Any) -> None:
    cut = client.converse(
        modelId=NOVA, messages=said("answer with 30 words"), inferenceConfig={"maxTokens": 7}
    )
    stopped = client.converse(
        modelId=NOVA, messages=said("answer with 30 words"), inferenceConfig={"stopSequences": [" word3"]}
    )

    assert (cut["stopReason"], cut["usage"]["outputTokens"]) == ("max_tokens", 7)
    at_once = client.converse(
        modelId=NOVA, messages=said("Hello"), inferenceConfig={"stopSequences": ["You"]}
    )
    assert (at_once["stopReason"], at_once["output"]["message"]["content"]) == ("stop_sequence", [])
    assert stopped["stopReason"] == "stop_sequence"
    assert stopped["output"]["message"]["content"] == [{"text": "word1 word2"}]


def test_an_answer_that_is_cut_ends_with_no_blank_block(client: Any) -> None:
    response = client.converse(
        modelId=HAIKU,
        messages=said("Hello"),
        inferenceConfig={"maxTokens": 4},
        additionalModelRequestFields={"thinking": {"type": "enabled"}},
    )

    assert [next(iter(block)) for block in response["output"]["message"]["content"]] == ["reasoningContent"]
    assert response["stopReason"] == "max_tokens"


def test_prompts_beyond_the_context_window_are_refused(client: Any) -> None:
    nova_micro = "us.amazon.nova-micro-v1:0"
    client.converse(modelId=nova_micro, messages=said("a " * 128_000))

    with pytest.raises(client.exceptions.ValidationException, match="Input is too long for requested model"):
        client.converse(modelId=nova_micro, messages=said("a " * 128_001))


def test_invoke_model_speaks_anthropic_messages(client: Any) -> None:
    response = client.invoke_model(modelId=HAIKU_3, body=messages_body("Hello there"))
    body = json.loads(response["body"].read())

    assert response["contentType"] == "application/json"
    assert body["content"] == [{"type": "text", "text": "You said: Hello there"}]
    assert (body["stop_reason"], body["usage"]["output_tokens"]) == ("end_turn", 4)
    headers = response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-bedrock-input-token-count"] == "2"
    assert headers["x-amzn-bedrock-output-token-count"] == "4"


def test_invoke_model_with_response_stream_sends_anthropic_events(client: Any) -> None:
    tool = {"name": "get_weather", "input_schema": WEATHER["toolSpec"]["inputSchema"]["json"]}  # type: ignore[index]
    response = client.invoke_model_with_response_stream(
        modelId=HAIKU_3, body=messages_body("call tool get_weather", tools=[tool])
    )
    events = [json.loads(event["chunk"]["bytes"]) for event in response["body"]]

    assert response["contentType"] == "application/json"
    assert [events[0]["type"], *(event["type"] for event in events[-3:])] == [
        "message_start",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    pieces = [event["delta"]["partial_json"] for event in events if event["type"] == "content_block_delta"]
    assert json.loads("".join(pieces)) == {"city": "sample"}
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
    assert events[-1]["amazon-bedrock-invocationMetrics"]["inputTokenCount"] > 0


def test_titan_embeds_deterministically(client: Any) -> None:
    def embed(**body: Any) -> Any:
        return json.loads(client.invoke_model(modelId=TITAN, body=json.dumps(body))["body"].read())

    first, again, other = (
        embed(inputText="one two"),
        embed(inputText="one two"),
        embed(inputText="three", dimensions=256),
    )

    assert len(first["embedding"]) == 1024
    assert first == again
    assert first["inputTextTokenCount"] == 2
    assert len(other["embedding"]) == 256
    assert sum(value**2 for value in other["embedding"]) == pytest.approx(1)


def test_count_tokens_counts_both_kinds_of_input(client: Any) -> None:
    converse = client.count_tokens(modelId=HAIKU_3, input={"converse": {"messages": said("one two three")}})
    native = client.count_tokens(modelId=HAIKU_3, input={"invokeModel": {"body": messages_body("one two")}})

    assert (converse["inputTokens"], native["inputTokens"]) == (3, 2)


def test_replies_on_command_come_once_and_in_order(simulator: RunningSimulator, client: Any) -> None:
    call = ReplyToolCall(name="get_time", input={"zone": "UTC"})
    simulator.control.add_reply(Reply(reasoning="Because.", tool_calls=(call,), times=1))
    simulator.control.add_reply(Reply(words=300, stop_reason="guardrail_intervened", model=NOVA))

    first = client.converse(modelId=NOVA, messages=said("Hello"))
    second = client.converse(modelId=NOVA, messages=said("Hello"))
    other_model = client.converse(modelId=HAIKU, messages=said("Hello"))

    assert [next(iter(block)) for block in first["output"]["message"]["content"]] == [
        "reasoningContent",
        "toolUse",
    ]
    assert first["stopReason"] == "tool_use"
    assert (second["usage"]["outputTokens"], second["stopReason"]) == (300, "guardrail_intervened")
    assert other_model["output"]["message"]["content"] == [{"text": "You said: Hello"}]


@pytest.mark.parametrize(
    ("model", "region", "error", "message"),
    [
        (
            "nobody.no-such-model-v1:0",
            "us-east-1",
            "ValidationException",
            "The provided model identifier is invalid.",
        ),
        (
            "eu.amazon.nova-lite-v1:0",
            "us-east-1",
            "ValidationException",
            "The provided model identifier is invalid.",
        ),
        (
            "amazon.nova-lite-v1:0",
            "sa-east-1",
            "ValidationException",
            "The provided model identifier is invalid.",
        ),
        (
            HAIKU.removeprefix("us."),
            "us-east-1",
            "ValidationException",
            "with on-demand throughput isn’t supported. Retry your request with the ID or ARN",
        ),
        (
            TITAN,
            "us-east-1",
            "ValidationException",
            "This action doesn't support the model that you provided.",
        ),
    ],
)
def test_models_that_cannot_be_called(
    client_for: Any, model: str, region: str, error: str, message: str
) -> None:
    with pytest.raises(ClientError, match=error) as raised:
        client_for(region).converse(modelId=model, messages=said("Hello"))

    assert message in str(raised.value)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_models_an_account_has_no_access_to(client_for: Any) -> None:
    denied = client_for(key="AKIDTWO", secret="secret-two")

    with pytest.raises(denied.exceptions.AccessDeniedException, match="You don't have access to the model"):
        denied.converse(modelId="us.amazon.nova-pro-v1:0", messages=said("Hello"))


def test_models_by_arn_belong_to_their_region(client: Any) -> None:
    arn = "arn:aws:bedrock:{}:111111111111:inference-profile/" + NOVA

    assert (
        client.converse(modelId=arn.format("us-east-1"), messages=said("Hello"))["stopReason"] == "end_turn"
    )
    with pytest.raises(client.exceptions.ValidationException, match="model identifier is invalid"):
        client.converse(modelId=arn.format("us-west-2"), messages=said("Hello"))
