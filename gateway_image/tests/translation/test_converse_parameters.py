"""Everything of a request beside its messages, as Converse takes it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.errors import GatewayError

Json = dict[str, Any]
Translate = Callable[..., Json]
Refusal = Callable[..., GatewayError]


def tool(name: str, **function: object) -> Json:
    return {"type": "function", "function": {"name": name, **function}}


def test_the_catalogs_limit_is_sent_when_the_caller_sets_none(translate: Translate) -> None:
    assert translate()["inferenceConfig"] == {"maxTokens": 5000}


def test_inference_parameters(translate: Translate) -> None:
    body = translate(max_completion_tokens=5, temperature=0, top_p=0.5, stop="END")
    assert body["inferenceConfig"] == {
        "maxTokens": 5,
        "temperature": 0,
        "topP": 0.5,
        "stopSequences": ["END"],
    }
    assert translate(max_tokens=7, stop=["a", "b"])["inferenceConfig"] == {
        "maxTokens": 7,
        "stopSequences": ["a", "b"],
    }


def test_what_asks_for_nothing_special_is_accepted(translate: Translate) -> None:
    plain = translate()
    asked = translate(
        audio=None, frequency_penalty=0, function_call="none", functions=[], logit_bias={}, logprobs=False,
        metadata={}, modalities=["text"], n=1, parallel_tool_calls=True, presence_penalty=0.0,
        reasoning_effort="none", response_format={"type": "text"}, seed=None, service_tier="auto",
        stop=None, store=False, stream=False, tool_choice="auto", tools=[], top_logprobs=0,
        verbosity="medium",
    )  # fmt: skip
    assert asked == plain


def test_hints_that_do_not_change_the_answer_end_at_the_gateway(translate: Translate) -> None:
    body = translate(user="u-1", safety_identifier="s", prompt_cache_key="k")
    assert body == translate()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("audio", {"voice": "alloy", "format": "mp3"}),
        ("frequency_penalty", 0.5),
        ("function_call", "auto"),
        ("functions", [{"name": "f"}]),
        ("logit_bias", {"50256": -100}),
        ("logprobs", True),
        ("modalities", ["text", "audio"]),
        ("moderation", {"model": "m"}),
        ("n", 2),
        ("n", 0),
        ("prediction", {"type": "content", "content": "x"}),
        ("presence_penalty", -1),
        ("prompt_cache_options", {"mode": "explicit"}),
        ("prompt_cache_retention", "24h"),
        ("reasoning_effort", "xhigh"),
        ("seed", 0),
        ("service_tier", "scale"),
        ("store", True),
        ("temperature", 1.5),
        ("top_logprobs", 3),
        ("verbosity", "high"),
        ("web_search_options", {}),
    ],
)
def test_what_converse_cannot_do_is_refused_by_name(refusal: Refusal, field: str, value: object) -> None:
    error = refusal(**{"tools": [tool("f")], field: value})
    assert error.param == field
    assert error.code in {"unsupported_parameter", "unsupported_value"}


def test_obfuscation_of_the_stream_is_refused(refusal: Refusal) -> None:
    error = refusal(stream=True, stream_options={"include_obfuscation": True})
    assert error.param == "stream_options.include_obfuscation"


def test_an_empty_stop_sequence_is_refused(refusal: Refusal) -> None:
    assert refusal(stop=["a", ""]).param == "stop[1]"


def test_tools(translate: Translate) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    body = translate(
        tools=[
            tool("weather", description="Tells the weather", parameters=parameters, strict=True),
            tool("now", description="", parameters={}, strict=False),
            tool("later", parameters={"properties": {"hours": {"type": "integer"}}}),
        ],
    )
    assert body["toolConfig"] == {
        "tools": [
            {
                "toolSpec": {
                    "name": "weather",
                    "description": "Tells the weather",
                    "inputSchema": {"json": parameters},
                    "strict": True,
                }
            },
            {"toolSpec": {"name": "now", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
            {
                "toolSpec": {
                    "name": "later",
                    "inputSchema": {"json": {"type": "object", "properties": {"hours": {"type": "integer"}}}},
                }
            },
        ]
    }


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("required", {"any": {}}),
        ({"type": "function", "function": {"name": "b"}}, {"tool": {"name": "b"}}),
    ],
)
def test_tool_choice(translate: Translate, choice: object, expected: Json) -> None:
    assert translate(tools=[tool("a"), tool("b")], tool_choice=choice)["toolConfig"]["toolChoice"] == expected


def test_the_model_chooses_unless_told_otherwise(translate: Translate) -> None:
    assert "toolChoice" not in translate(tools=[tool("a")], tool_choice="auto")["toolConfig"]


def test_no_tool_is_offered_that_must_not_be_called(translate: Translate) -> None:
    body = translate(tools=[tool("a")], tool_choice="none", parallel_tool_calls=False)
    assert "toolConfig" not in body


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [tool("bad name")]}, "tools[0].function.name"),
        ({"tools": [tool("x" * 65)]}, "tools[0].function.name"),
        ({"tools": [tool("a"), tool("a")]}, "tools[1].function.name"),
        ({"tools": [tool("a", parameters={"type": "string"})]}, "tools[0].function.parameters.type"),
        ({"tool_choice": "required"}, "tool_choice"),
        (
            {"tools": [tool("a")], "tool_choice": {"type": "function", "function": {"name": "b"}}},
            "tool_choice.function.name",
        ),
        (
            {
                "tools": [tool("a")],
                "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
            },
            "tool_choice",
        ),
    ],
)
def test_tools_that_converse_would_refuse(refusal: Refusal, fields: Json, param: str) -> None:
    assert refusal(**fields).param == param


def test_a_schema_for_the_answer(translate: Translate) -> None:
    schema = {"type": "object", "properties": {"näme": {"type": "string"}}, "additionalProperties": False}
    output = {"name": "person", "description": "Someone", "schema": schema, "strict": True}
    body = translate(response_format={"type": "json_schema", "json_schema": output})
    text_format = body["outputConfig"]["textFormat"]
    definition = text_format["structure"]["jsonSchema"]
    assert text_format["type"] == "json_schema"
    assert (definition["name"], definition["description"]) == ("person", "Someone")
    assert json.loads(definition["schema"]) == schema


@pytest.mark.parametrize(
    ("response_format", "param"),
    [
        ({"type": "json_object"}, "response_format.type"),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, "response_format.json_schema.schema"),
    ],
)
def test_json_without_a_schema_is_refused(refusal: Refusal, response_format: Json, param: str) -> None:
    assert refusal(response_format=response_format).param == param


def test_metadata_goes_to_the_invocation_log(translate: Translate) -> None:
    assert translate(metadata={"team": "search@x", "empty": ""})["requestMetadata"] == {
        "team": "search@x",
        "empty": "",
    }


@pytest.mark.parametrize(
    "metadata", [{"a": "ä"}, {"": "a"}, {"a": "b" * 257}, {str(i): "" for i in range(17)}]
)
def test_metadata_that_bedrock_refuses(refusal: Refusal, metadata: Json) -> None:
    assert refusal(metadata=metadata).param == "metadata"


@pytest.mark.parametrize(
    ("asked", "sent"), [("priority", "priority"), ("fast", "priority"), ("flex", "flex")]
)
def test_service_tiers(translate: Translate, asked: str, sent: str) -> None:
    assert translate(service_tier=asked)["serviceTier"] == {"type": sent}
