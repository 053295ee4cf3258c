"""Streamed chat completions on their way through."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.providers import Usage
from gateway.providers.openai_compatible.chat_stream import ChatStream

HEAD = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "their-model-2026-01-01",
}


def _event(payload: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _event({**HEAD, "choices": [choice], "usage": None})


ROLE = _chunk({"role": "assistant", "content": "", "refusal": None})
HELLO = _chunk({"content": "Hello"})
STOP = _chunk({}, "stop")
USAGE = _event(
    {
        **HEAD,
        "choices": [],
        "usage": {
            "prompt_tokens": 30,
            "completion_tokens": 7,
            "total_tokens": 37,
            "prompt_tokens_details": {"cached_tokens": 20},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
    }
)
DONE = b"data: [DONE]\n\n"
WHOLE = ROLE + HELLO + STOP + USAGE + DONE


def _stream(*, include_usage: bool = False) -> ChatStream:
    return ChatStream(model="public-name", include_usage=include_usage)


def _renamed(events: bytes) -> bytes:
    return events.replace(b"their-model-2026-01-01", b"public-name")


def test_chunks_pass_through_under_the_callers_name_for_the_model() -> None:
    stream = _stream()
    assert stream.feed(ROLE + HELLO + STOP) == _renamed(ROLE + HELLO + STOP)


def test_the_usage_is_kept_from_callers_who_did_not_ask_for_it() -> None:
    stream = _stream()
    assert stream.feed(WHOLE) == _renamed(ROLE + HELLO + STOP) + DONE
    assert stream.usage == Usage(input_tokens=10, cache_read_tokens=20, output_tokens=7, reasoning_tokens=3)
    assert (stream.complete, stream.error) == (True, None)


def test_an_error_may_come_with_the_usage_of_what_it_ended() -> None:
    stream = _stream()
    usage = {"prompt_tokens": 30, "completion_tokens": 2}
    stream.feed(ROLE + HELLO + _event({**HEAD, "choices": [], "usage": usage, "error": {"message": "broke"}}))
    assert stream.error is not None
    assert stream.usage == Usage(input_tokens=30, output_tokens=2)


def test_callers_who_ask_for_the_usage_get_it() -> None:
    assert _stream(include_usage=True).feed(WHOLE) == _renamed(WHOLE)


def test_usage_beside_a_choice_is_not_dropped_with_it() -> None:
    both = _event(
        {
            **HEAD,
            "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2},
        }
    )
    stream = _stream()
    assert stream.feed(both + DONE) == _renamed(both) + DONE
    assert stream.usage == Usage(input_tokens=1, output_tokens=2)


def test_content_begins_with_the_first_thing_said() -> None:
    stream = _stream()
    stream.feed(ROLE)
    assert not stream.content_begun
    stream.feed(HELLO)
    assert stream.content_begun


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "Let me"},
        {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": ""}}]},
        {"refusal": "No."},
        {"role": "assistant", "content": "All at once"},
    ],
)
def test_everything_a_model_says_counts_as_content(delta: dict[str, Any]) -> None:
    stream = _stream()
    stream.feed(_chunk(delta))
    assert stream.content_begun


def test_a_cut_stream_can_be_estimated() -> None:
    stream = _stream()
    stream.feed(ROLE + _chunk({"role": "assistant", "content": "x" * 400, "refusal": None}))
    assert 390 <= stream.characters <= 410
    stream.finish()
    assert stream.error is not None
    assert (stream.error.status, stream.error.code) == (502, "upstream_connection_lost")


def test_a_missing_end_mark_after_a_finish_reason_is_added() -> None:
    stream = _stream()
    assert stream.feed(ROLE + HELLO + STOP) + stream.finish() == _renamed(ROLE + HELLO + STOP) + DONE
    assert stream.complete


def test_a_missing_last_blank_line_is_forgiven() -> None:
    stream = _stream()
    assert stream.feed(WHOLE.rstrip()) + stream.finish() == _renamed(ROLE + HELLO + STOP) + DONE
    assert stream.complete


def test_nothing_follows_the_end() -> None:
    stream = _stream()
    stream.feed(WHOLE)
    assert stream.feed(HELLO) == b""
    assert stream.finish() == b""


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ({"error": {"message": "Overloaded", "type": "server_error", "code": None}}, 502, "upstream_error"),
        ({"error": {"message": "Slow down", "type": "rate_limit_error"}}, 429, "rate_limit_exceeded"),
        (
            {"object": "error", "message": "broke", "type": "InternalError", "code": 500},
            502,
            "upstream_error",
        ),
        ({"error": {"message": "bad", "code": 503}}, 503, "upstream_unavailable"),
        ({"error": "broken"}, 502, "upstream_error"),
    ],
)
def test_an_error_in_the_stream_ends_it(error: dict[str, Any], status: int, code: str) -> None:
    stream = _stream()
    assert stream.feed(ROLE + _event(error) + HELLO) == _renamed(ROLE)
    assert stream.error is not None
    assert (stream.error.status, stream.error.code) == (status, code)
    assert stream.finish() == b""


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: {not json}\n\n",
        bytes(range(256)) + b"\n\ndata: \xff\xfe\n\n",
        b'data: {"choices":5}\n\n',
        b"data: 5\n\n",
    ],
)
def test_garbage_ends_the_stream(garbage: bytes) -> None:
    stream = _stream()
    output = stream.feed(ROLE + HELLO + garbage)
    assert output == _renamed(ROLE + HELLO)
    assert stream.error is not None
    assert stream.error.code == "upstream_invalid_response"


def test_a_page_instead_of_a_stream_is_no_answer() -> None:
    stream = _stream()
    stream.feed(b"<html>maintenance</html>")
    stream.finish()
    assert stream.error is not None
    assert stream.error.status == 502


def test_comments_and_other_line_ends_are_understood() -> None:
    stream = _stream()
    events = b": keep-alive\r\n\r\n" + (ROLE + HELLO).replace(b"\n", b"\r\n")
    assert stream.feed(events) == b": keep-alive\n\n" + _renamed(ROLE + HELLO)


def test_other_line_ends_may_be_cut_in_two() -> None:
    stream = _stream()
    source = (ROLE + HELLO).replace(b"\n", b"\r\n")
    output = b"".join(stream.feed(source[place : place + 1]) for place in range(len(source)))
    assert output == _renamed(ROLE + HELLO)


def test_text_that_looks_like_the_model_field_is_left_alone() -> None:
    said = _chunk({"content": '"model":"their-model-2026-01-01"'})
    stream = _stream()
    stream.feed(ROLE)
    delta = json.loads(stream.feed(said)[6:])["choices"][0]["delta"]
    assert delta == {"content": '"model":"their-model-2026-01-01"'}


def test_malformed_usage_does_not_spoil_an_answer() -> None:
    odd = _event({**HEAD, "choices": [], "usage": {"prompt_tokens": "many"}})
    stream = _stream()
    assert stream.feed(ROLE + HELLO + STOP + odd + DONE).endswith(DONE)
    assert (stream.usage, stream.error) == (None, None)


@given(st.lists(st.integers(0, len(WHOLE)), max_size=12), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_cuts_anywhere_change_nothing(cuts: list[int], include_usage: bool, crlf: bool) -> None:
    source = WHOLE.replace(b"\n", b"\r\n") if crlf else WHOLE
    stream = _stream(include_usage=include_usage)
    places = [0, *sorted(cuts), len(source)]
    pieces = [source[start:end] for start, end in itertools.pairwise(places)]
    output = b"".join(stream.feed(piece) for piece in pieces)
    assert output == _stream(include_usage=include_usage).feed(WHOLE)
    assert stream.complete


@given(st.binary(max_size=300), st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_no_bytes_make_it_fail_otherwise_than_by_its_error(first: bytes, second: bytes) -> None:
    stream = _stream()
    stream.feed(ROLE + b"data: " + first + b"\n\n")
    stream.feed(second)
    stream.finish()
    assert stream.complete or stream.error is not None
