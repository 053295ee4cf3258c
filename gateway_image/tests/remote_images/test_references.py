"""Where images are named in the bodies of the APIs, and what takes their place."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call import Operation
from gateway.remote_images.image import Image, media_type_of
from gateway.remote_images.references import replace_images, urls_in

URL = "https://images.example.com/a.png"
IMAGE = Image("image/png", "aGk=")
DATA_URL = "data:image/png;base64,aGk="


def chat(*parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": list(parts)}]}


CHAT_IMAGE = {"type": "image_url", "image_url": {"url": URL, "detail": "high"}}
RESPONSES_IMAGE = {"type": "input_image", "image_url": URL, "detail": "auto"}
MESSAGES_IMAGE = {"type": "image", "source": {"type": "url", "url": URL}, "cache_control": {"a": 1}}
INLINE = {"type": "base64", "media_type": "image/png", "data": "aGk="}

CASES: list[tuple[Operation, dict[str, Any], str, dict[str, Any]]] = [
    (
        "chat_completions",
        chat({"type": "text", "text": URL}, CHAT_IMAGE),
        "messages[1].content[1].image_url.url",
        chat(
            {"type": "text", "text": URL},
            {"type": "image_url", "image_url": {"url": DATA_URL, "detail": "high"}},
        ),
    ),
    (
        "responses",
        {"input": [{"role": "user", "content": [RESPONSES_IMAGE]}]},
        "input[0].content[0].image_url",
        {"input": [{"role": "user", "content": [{**RESPONSES_IMAGE, "image_url": DATA_URL}]}]},
    ),
    (
        "responses",
        {"input": [{"type": "function_call_output", "call_id": "1", "output": [RESPONSES_IMAGE]}]},
        "input[0].output[0].image_url",
        {
            "input": [
                {
                    "type": "function_call_output",
                    "call_id": "1",
                    "output": [{**RESPONSES_IMAGE, "image_url": DATA_URL}],
                }
            ]
        },
    ),
    (
        "messages",
        chat(MESSAGES_IMAGE),
        "messages[1].content[0].source.url",
        chat({**MESSAGES_IMAGE, "source": INLINE}),
    ),
    (
        "count_tokens",
        chat({"type": "tool_result", "tool_use_id": "t", "content": [MESSAGES_IMAGE]}),
        "messages[1].content[0].content[0].source.url",
        chat({"type": "tool_result", "tool_use_id": "t", "content": [{**MESSAGES_IMAGE, "source": INLINE}]}),
    ),
]


@pytest.mark.parametrize(("operation", "body", "path", "inlined"), CASES)
def test_an_image_is_found_and_replaced(
    operation: Operation, body: dict[str, Any], path: str, inlined: dict[str, Any]
) -> None:
    raw = json.dumps(body).encode()
    assert list(urls_in(operation, raw)) == [(path, URL)]
    assert json.loads(replace_images(operation, raw, lambda _path, _url: IMAGE)) == inlined


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": DATA_URL}},
        {"type": "image_url", "image_url": {"url": 1}},
        {"type": "image_url", "image_url": URL},
        {"type": "image_url"},
        {"type": 1, "image_url": {"url": URL}},
        {"type": "image", "source": {"type": "base64", "url": URL}},
        {"type": "image", "source": {"type": "file", "file_id": URL}},
        {"type": "image", "source": None},
        {"type": "document", "source": {"type": "url", "url": URL}},
        {"type": "input_image", "image_url": None},
        {"type": "tool_result", "content": URL},
        URL,
        None,
    ],
)
@pytest.mark.parametrize("operation", get_args(Operation))
def test_what_is_no_such_image_is_left_alone(operation: Operation, part: Any) -> None:
    for body in (
        chat(part),
        {"input": [{"content": [part]}]},
        {"input": URL},
        {"messages": {"a": part}},
        [part],
    ):
        raw = json.dumps(body).encode()
        assert replace_images(operation, raw, lambda _path, _url: IMAGE) is raw


def test_all_else_stays_byte_for_byte() -> None:
    rest = b'{"big":1234567890123456789012345678901234567890,"f":1.10e400,"e":"\\u00e9\\/"}'
    raw = (
        b'{ "metadata": ' + rest + b',"messages":[{"content":[' + rest + b",{"
        b'"type":"image_url","image_url":{"url":"https:\\/\\/images.example.com/a.png"}}]}]}'
    )
    replaced = replace_images("chat_completions", raw, lambda _path, _url: IMAGE)
    assert replaced.count(rest) == 2
    assert DATA_URL.encode() in replaced
    assert b"images.example.com" not in replaced


def test_an_image_that_is_to_stay_stays() -> None:
    raw = json.dumps(chat(CHAT_IMAGE, {"type": "image_url", "image_url": {"url": f"{URL}?2"}})).encode()
    replaced = replace_images(
        "chat_completions", raw, lambda _path, url: IMAGE if url.endswith("2") else None
    )
    urls = [part["image_url"]["url"] for part in json.loads(replaced)["messages"][1]["content"]]
    assert urls == [URL, DATA_URL]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.just(URL) | st.just("image") | st.just("url"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["messages", "input", "content", "output", "type", "image_url", "url", "source"]),
            inner,
        )
    ),
    max_leaves=20,
)


@given(operation=st.sampled_from(get_args(Operation)), value=JSON)
def test_no_shape_of_json_confuses_it(operation: Operation, value: Any) -> None:
    raw = json.dumps(value).encode()
    found = list(urls_in(operation, raw))
    replaced = replace_images(operation, raw, lambda _path, _url: IMAGE)
    assert not list(urls_in(operation, replaced))
    assert (replaced == raw) is not bool(found)


@pytest.mark.parametrize("raw", [b"", b"{", b'{"messages":[', b"\xff", b"null"])
def test_what_is_no_json_is_left_alone(raw: bytes) -> None:
    assert replace_images("chat_completions", raw, lambda _path, _url: IMAGE) is raw


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
        (b"<html>", None),
        (b"BM", None),
        (b"", None),
    ],
)
def test_images_are_known_by_how_they_begin(content: bytes, media_type: str | None) -> None:
    assert media_type_of(content) == media_type
