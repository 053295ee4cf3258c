"""Conversations: OpenAI messages as Converse turns."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.errors import GatewayError

Json = dict[str, Any]
Translate = Callable[..., Json]
Refusal = Callable[..., GatewayError]

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n--").decode()
TOOLS = [{"type": "function", "function": {"name": "weather"}}]


def user(content: object) -> Json:
    return {"role": "user", "content": content}


def text(value: str, **fields: object) -> Json:
    return {"type": "text", "text": value, **fields}


def image(url: str, **fields: object) -> Json:
    return {"type": "image_url", "image_url": {"url": url, **fields}}


def file(filename: str | None, data: str = "data:application/pdf;base64,AAAA") -> Json:
    return {"type": "file", "file": {"file_data": data} | ({"filename": filename} if filename else {})}


def calls(*ids: str, arguments: str = "{}", **fields: object) -> Json:
    function = {"name": "weather", "arguments": arguments}
    return {
        "role": "assistant",
        "tool_calls": [{"id": call_id, "type": "function", "function": function} for call_id in ids],
        **fields,
    }


def result(call_id: str, content: object = "sunny") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def test_system_and_developer_messages_become_the_system_prompt_in_order(translate: Translate) -> None:
    body = translate(
        {"role": "system", "content": "one"},
        user("Hi"),
        {"role": "developer", "content": [text("two"), text(" "), text("three")]},
        user("there"),
    )
    assert body["system"] == [{"text": "one"}, {"text": "two"}, {"text": "three"}]
    assert body["messages"] == [{"role": "user", "content": [{"text": "Hi"}, {"text": "there"}]}]


def test_messages_of_one_role_become_one_turn(translate: Translate) -> None:
    body = translate(user("a"), user([text("b")]), {"role": "assistant", "content": "c"}, user("d"))
    assert body["messages"] == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "c"}]},
        {"role": "user", "content": [{"text": "d"}]},
    ]


def test_tool_calls_and_results_keep_their_pairs(translate: Translate) -> None:
    body = translate(
        user("Weather?"),
        calls("a", "b", arguments='{"city": "Paris", "days": [1, 2.5]}', content="Let me look."),
        result("b", "rain"),
        result("a", [text("sun"), text("ny")]),
        user("And?"),
        tools=TOOLS,
    )
    use = {"name": "weather", "input": {"city": "Paris", "days": [1, 2.5]}}
    assert body["messages"][1]["content"] == [
        {"text": "Let me look."},
        {"toolUse": {"toolUseId": "a", **use}},
        {"toolUse": {"toolUseId": "b", **use}},
    ]
    assert body["messages"][2]["content"] == [
        {"toolResult": {"toolUseId": "b", "content": [{"text": "rain"}]}},
        {"toolResult": {"toolUseId": "a", "content": [{"text": "sun"}, {"text": "ny"}]}},
        {"text": "And?"},
    ]


def test_empty_arguments_are_no_arguments(translate: Translate) -> None:
    body = translate(user("x"), calls("a", arguments=""), result("a"), tools=TOOLS)
    assert body["messages"][1]["content"][0]["toolUse"]["input"] == {}


def test_an_empty_result_still_answers_its_call(translate: Translate) -> None:
    body = translate(user("x"), calls("a"), result("a", ""), tools=TOOLS)
    assert body["messages"][2]["content"][0]["toolResult"]["content"] == [{"text": "(empty)"}]


def test_call_ids_that_converse_refuses_are_replaced_on_both_sides(translate: Translate) -> None:
    body = translate(user("x"), calls("a/b", "c" * 65), result("a/b"), result("c" * 65), tools=TOOLS)
    used = [block["toolUse"]["toolUseId"] for block in body["messages"][1]["content"]]
    answered = [block["toolResult"]["toolUseId"] for block in body["messages"][2]["content"]]
    assert used == answered


def test_call_ids_may_come_back_in_later_turns(translate: Translate) -> None:
    translate(user("x"), calls("call_0"), result("call_0"), calls("call_0"), result("call_0"), tools=TOOLS)


@pytest.mark.parametrize("fields", [{}, {"tools": TOOLS, "tool_choice": "none"}])
def test_without_tools_to_call_earlier_calls_are_told_as_text(translate: Translate, fields: Json) -> None:
    body = translate(user("x"), calls("a", arguments='{"city":"Paris"}'), result("a", "sunny"), **fields)
    assert "toolConfig" not in body
    assert body["messages"][1]["content"] == [{"text": '[Called tool weather with {"city":"Paris"}]'}]
    assert body["messages"][2]["content"] == [{"text": "[Result of tool weather]"}, {"text": "sunny"}]


def test_blank_texts_are_left_out(translate: Translate) -> None:
    body = translate(
        user([text(""), text("x"), text("\n ")]), calls("a", content=" "), result("a"), tools=TOOLS
    )
    assert [len(turn["content"]) for turn in body["messages"]] == [1, 1, 1]


@pytest.mark.parametrize("content", ["", " \n", None, []])
def test_an_answer_without_content_may_be_sent_back(translate: Translate, content: object) -> None:
    silent = {"role": "assistant", "content": content}
    assert translate(user("x"), user(" "), silent, user("y"))["messages"] == [
        {"role": "user", "content": [{"text": "x"}, {"text": "y"}]}
    ]
    assert translate(user("x"), silent)["messages"] == [{"role": "user", "content": [{"text": "x"}]}]


def test_refusals_and_reasoning_that_clients_send_back_are_understood(translate: Translate) -> None:
    body = translate(
        user("x"),
        {
            "role": "assistant",
            "content": None,
            "refusal": "No.",
            "reasoning_content": "hm",
            "annotations": [],
        },
        user("y"),
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "Still no."}, text("Sorry.")]},
        user("z"),
    )
    assert body["messages"][1]["content"] == [{"text": "No."}]
    assert body["messages"][3]["content"] == [{"text": "Still no."}, {"text": "Sorry."}]


def test_images_keep_their_bytes_and_place(translate: Translate) -> None:
    body = translate(
        user([image(f"data:image/png;base64,{PNG}"), text("and"), image(f"DATA:image/JPG;base64,{PNG}")])
    )
    assert body["messages"][0]["content"] == [
        {"image": {"format": "png", "source": {"bytes": PNG}}},
        {"text": "and"},
        {"image": {"format": "jpeg", "source": {"bytes": PNG}}},
    ]


def test_audio_is_passed_on(translate: Translate) -> None:
    body = translate(user([{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]))
    assert body["messages"][0]["content"] == [{"audio": {"format": "wav", "source": {"bytes": "AAAA"}}}]


def test_files_get_names_that_converse_takes(translate: Translate) -> None:
    names = [
        "Q3_report (final).v2.pdf",
        "a/../b.pdf",
        "b.pdf",
        "b.pdf",
        "レポート.pdf",
        None,
        ".pdf",
        "x" * 300,
    ]
    body = translate(user([text("Compare."), *(file(name) for name in names)]))
    documents = [block["document"] for block in body["messages"][0]["content"][1:]]
    assert [document["name"] for document in documents] == [
        "Q3 report (final) v2",
        "a b",
        "b",
        "b (2)",
        "document",
        "document (2)",
        "pdf",
        "x" * 200,
    ]
    assert documents[0] == {"format": "pdf", "name": "Q3 report (final) v2", "source": {"bytes": "AAAA"}}


def test_cache_control_becomes_cache_points(translate: Translate) -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    hour = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body = translate(
        {"role": "system", "content": [text("rules", **hour)]},
        user([text("a", **mark), text("b")]),
        calls("x"),
        result("x", [text("sunny", **mark)]),
        tools=[TOOLS[0] | mark],
    )
    point = {"cachePoint": {"type": "default"}}
    assert body["system"] == [{"text": "rules"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    assert body["messages"][0]["content"] == [{"text": "a"}, point, {"text": "b"}]
    assert body["messages"][2]["content"][1:] == [point]
    assert body["toolConfig"]["tools"][1:] == [point]


@pytest.mark.parametrize(
    ("messages", "param", "told"),
    [
        ([{"role": "system", "content": "x"}], "messages", "no user message"),
        ([{"role": "assistant", "content": "x"}, user("y")], "messages[0].role", "must be a user's"),
        ([user([text("")])], "messages[0].content", "blank"),
        ([user("x") | {"name": "Ann"}], "messages[0].name", "put the name into the text"),
        ([user("x"), calls("a"), user("y")], "messages[1].tool_calls[0].id", "'a' has no result"),
        ([user("x"), calls("a", "b"), result("a")], "messages[1].tool_calls[1].id", "'b' has no result"),
        ([user("x"), calls("a", "a"), result("a")], "messages[1].tool_calls[1].id", "used twice"),
        ([user("x"), result("a")], "messages[1].tool_call_id", "answers no call"),
        ([user("x"), calls("a"), result("a"), result("a")], "messages[3].tool_call_id", "answers no call"),
        (
            [user("x"), calls("a", arguments="{"), result("a")],
            "messages[1].tool_calls[0].function.arguments",
            "JSON object in a string",
        ),
        (
            [user("x"), calls("a", arguments="[1]"), result("a")],
            "messages[1].tool_calls[0].function.arguments",
            "Expected `object`",
        ),
        ([user("x"), {"role": "assistant", "audio": {"id": "a"}}], "messages[1].audio", "leave it out"),
    ],
)
def test_conversations_that_make_no_sense_are_refused(
    refusal: Refusal, messages: list[Json], param: str, told: str
) -> None:
    error = refusal(*messages, tools=TOOLS)
    assert error.param == param
    assert told in error.message


def _url(kind: str) -> str:
    return f"messages[0].content[0].{kind}"


@pytest.mark.parametrize(
    ("part", "param", "told"),
    [
        (image("https://x.test/a.png"), _url("image_url.url"), "not fetched"),
        (image("HTTP://x.test/a.png"), _url("image_url.url"), "not fetched"),
        (image("ftp://x.test/a.png"), _url("image_url.url"), "not a base64 data URL"),
        (image("data:image/png,abc"), _url("image_url.url"), "not a base64 data URL"),
        (image("data:image/tiff;base64,AAAA"), _url("image_url.url"), "image/tiff"),
        (image("data:image/png;base64,"), _url("image_url.url"), "not base64"),
        (image("data:image/png;base64,AAA"), _url("image_url.url"), "not base64"),
        (image("data:image/png;base64,AA=A"), _url("image_url.url"), "not base64"),
        (image("data:image/png;base64,AA\nA"), _url("image_url.url"), "not base64"),
        (image("data:image/png;base64,ÄAAA"), _url("image_url.url"), "not base64"),
        (image(f"data:image/png;base64,{PNG}", detail="low"), _url("image_url.detail"), "smaller image"),
        (file("a.pdf", "AAAA"), _url("file.file_data"), "not a base64 data URL"),
        (file("a.zip", "data:application/zip;base64,AAAA"), _url("file.file_data"), "application/zip"),
        ({"type": "file", "file": {"file_id": "file-1"}}, _url("file.file_id"), "send the file itself"),
        ({"type": "file", "file": {}}, _url("file.file_data"), "required"),
        (file("a.pdf"), "messages[0].content", "no text"),
        (
            {"type": "input_audio", "input_audio": {"data": "!", "format": "mp3"}},
            _url("input_audio.data"),
            "not base64",
        ),
    ],
)
def test_media_that_bedrock_cannot_take_are_refused(
    refusal: Refusal, part: Json, param: str, told: str
) -> None:
    error = refusal(user([part]))
    assert error.param == param
    assert told in error.message


def test_a_deeply_nested_argument_is_refused(refusal: Refusal) -> None:
    nested = '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"
    error = refusal(user("x"), calls("a", arguments=nested), result("a"), tools=TOOLS)
    assert error.param == "messages[1].tool_calls[0].function.arguments"
    assert json.loads(error.body())
