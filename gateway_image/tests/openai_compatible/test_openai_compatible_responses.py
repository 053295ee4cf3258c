"""The Responses API of a provider that has it."""

import json
from typing import Any

import pytest

from gateway.providers import Usage
from gateway.providers.openai_compatible.responses_stream import ResponsesStream

RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "in_progress",
    "model": "their-model",
    "error": None,
}
USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 2,
    "output_tokens_details": {"reasoning_tokens": 1},
}


def _event(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


CREATED = _event("response.created", response=RESPONSE)
DELTA = _event("response.output_text.delta", delta="Hello", item_id="msg_1", output_index=0, content_index=0)
COMPLETED = _event("response.completed", response={**RESPONSE, "status": "completed", "usage": USAGE})


def test_events_pass_through_and_the_usage_is_read() -> None:
    stream = ResponsesStream("public-name")
    output = stream.feed(CREATED)
    begun = [stream.content_begun]
    output += stream.feed(DELTA)
    assert [*begun, stream.content_begun] == [False, True]
    assert stream.characters == len("Hello")
    output += stream.feed(COMPLETED)
    assert output == (CREATED + DELTA + COMPLETED).replace(b"their-model", b"public-name")
    assert (stream.complete, stream.error) == (True, None)
    assert stream.usage == Usage(input_tokens=5, cache_read_tokens=4, output_tokens=2, reasoning_tokens=1)


def test_a_failed_response_has_been_paid_for() -> None:
    stream = ResponsesStream("public-name")
    failed = {
        **RESPONSE,
        "status": "failed",
        "error": {"code": "server_error", "message": "x"},
        "usage": USAGE,
    }
    stream.feed(CREATED + DELTA + _event("response.failed", response=failed))
    assert stream.error is not None
    assert stream.usage == Usage(input_tokens=5, cache_read_tokens=4, output_tokens=2, reasoning_tokens=1)


def test_an_incomplete_response_is_complete_too() -> None:
    stream = ResponsesStream("public-name")
    stream.feed(CREATED + DELTA + _event("response.incomplete", response={**RESPONSE, "usage": USAGE}))
    assert stream.complete
    assert stream.usage is not None


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (_event("error", code="server_error", message="broke", param=None), 502),
        (_event("error", code="rate_limit_exceeded", message="slow down", param=None), 429),
        (
            _event(
                "response.failed",
                response={**RESPONSE, "error": {"code": "rate_limit_exceeded", "message": "slow down"}},
            ),
            429,
        ),
        (
            _event(
                "response.failed", response={**RESPONSE, "error": {"code": "server_error", "message": "x"}}
            ),
            502,
        ),
        (b'data: {"error":{"message":"broke"}}\n\n', 502),
    ],
)
def test_a_failure_ends_the_stream(event: bytes, status: int) -> None:
    stream = ResponsesStream("public-name")
    assert stream.feed(CREATED + event).count(b"event:") == 1
    assert stream.error is not None
    assert stream.error.status == status


def test_a_stream_that_stops_is_cut() -> None:
    stream = ResponsesStream("public-name")
    stream.feed(CREATED + DELTA)
    assert stream.finish() == b""
    assert stream.error is not None
    assert stream.error.code == "upstream_connection_lost"
