"""Streams that break after the answer has begun: nothing is tried again, and the caller is told."""

from collections.abc import Callable
from typing import Any

import openai
import pytest

from local.bedrock_simulator.call_log import Call
from local.bedrock_simulator.control import Control
from local.bedrock_simulator.faults import CorruptChecksum, Cut, Fault, Garbage, Hang, StreamError
from local.callers import Callers
from local.fleet import Fleet

Own = Callable[[str], str]
LONG: Any = [{"role": "user", "content": "answer with 100 words"}]


def streams(faults: Control) -> list[Call]:
    return [call for call in faults.calls() if call.operation == "ConverseStream"]


def record_of(running: Fleet, request_id: str) -> dict[str, Any] | None:
    lines = [line for gateway in running.gateways for line in gateway.log()]
    return next((line for line in lines if line.get("request_id") == request_id), None)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Cut(after_events=20), "upstream_connection_lost"),
        (Hang(after_events=20), "upstream_timeout"),
        (StreamError(after_events=20), "upstream_model_error"),
        (Garbage(after_events=20), "upstream_invalid_response"),
        (CorruptChecksum(after_events=20), "upstream_invalid_response"),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_a_stream_that_breaks_ends_with_an_error_and_its_usage_is_recorded(
    running: Fleet,
    callers: Callers,
    faults: Control,
    own: Own,
    wait_until: Callable[..., None],
    fault: Fault,
    code: str,
) -> None:
    client = callers.client(running.gateways[0])
    faults.add_fault(fault)
    chat = client.chat.completions.with_raw_response
    stream: Any = chat.create(model=own("chat"), messages=LONG, stream=True)
    words: list[str] = []
    with pytest.raises(openai.APIError) as caught:
        words += [chunk.choices[0].delta.content or "" for chunk in stream.parse()]
    assert (caught.value.body or {})["code"] == code  # type: ignore[index]
    assert len(streams(faults)) == 1

    request_id = stream.headers["x-request-id"]
    wait_until(lambda: record_of(running, request_id) is not None)
    record = record_of(running, request_id)
    assert record is not None
    assert (record["error_code"], record["usage_estimated"]) == (code, True)
    assert record["input_tokens"] > 0
    assert record["output_tokens"] > 0

    faults.clear_faults()
    assert callers.ask(8, stream=True).failed == 0


def test_a_caller_that_vanishes_ends_the_call_at_the_provider(
    running: Fleet, callers: Callers, faults: Control, own: Own, wait_until: Callable[..., None]
) -> None:
    faults.add_fault(Hang(after_events=20))
    client = callers.client(running.gateways[0])
    stream: Any = client.chat.completions.create(model=own("chat"), messages=LONG, stream=True)
    next(iter(stream))
    assert [call.outcome for call in streams(faults)] == ["running"]
    stream.close()
    wait_until(lambda: [call.outcome for call in streams(faults)] == ["client_left"], 0.9)
    record = record_of(running, stream.response.headers["x-request-id"])
    assert record is not None
    assert record["status"] == 499
    # What was generated for it is still accounted for.
    assert record["output_tokens"] > 0
