"""Any Responses request becomes a chat completion request, or a 400 that names a field."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError

Json = dict[str, Any]
Mapped = Callable[..., Json]
Streamed = Callable[..., Any]

_text = st.text(max_size=8)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)
_part = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["input_text", "output_text"]), "text": _text}),
    st.fixed_dictionaries({"type": st.just("input_image"), "image_url": _text}),
    st.fixed_dictionaries({"type": st.just("input_file"), "file_data": _text}),
    st.fixed_dictionaries({"type": st.just("refusal"), "refusal": _text}),
    _json,
)
_item = st.one_of(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "assistant", "system", "developer", "tool"]),
            "content": _text | st.lists(_part, max_size=3),
        }
    ),
    st.fixed_dictionaries(
        {"type": st.just("function_call"), "call_id": _text, "name": _text, "arguments": _text}
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("function_call_output"),
            "call_id": _text,
            "output": _text | st.lists(_part, max_size=2),
        }
    ),
    st.fixed_dictionaries(
        {"type": st.just("reasoning"), "encrypted_content": st.none() | _text.map("gatehouse:".__add__)}
    ),
    _json,
)
_request = st.fixed_dictionaries(
    {"input": _text | st.lists(_item, max_size=5)},
    optional={
        "instructions": st.none() | _text,
        "tools": st.lists(st.fixed_dictionaries({"type": st.just("function"), "name": _text}), max_size=2)
        | _json,
        "tool_choice": st.sampled_from(["auto", {"type": "function", "name": "x"}]) | _json,
        "text": st.just({"format": {"type": "json_object"}}) | _json,
        "reasoning": st.just({"effort": "low"}) | _json,
        "store": _json,
        "include": _json,
        "metadata": _json,
        "stream": st.booleans(),
        "stream_options": _json,
        "max_output_tokens": st.integers(1, 99),
    },
)


@settings(max_examples=150)
@given(request=_request)
def test_any_request_is_mapped_or_refused_by_name(mapped: Mapped, request: Json) -> None:
    error = _error(mapped, request)
    # Text that is no Unicode is refused before a field is looked at.
    assert error is None or error.status == 400
    assert error is None or error.param or error.code == "invalid_json"


def _error(mapped: Mapped, request: Json) -> GatewayError | None:
    try:
        mapped(**request)
    except GatewayError as error:
        return error
    return None


_delta = st.fixed_dictionaries(
    {},
    optional={
        "content": st.none() | _text,
        "reasoning_content": st.none() | _text,
        "refusal": st.none() | _text,
        "tool_calls": st.lists(
            st.fixed_dictionaries(
                {"index": st.integers(0, 2)},
                optional={"id": _text, "function": st.fixed_dictionaries({"arguments": _text})},
            ),
            max_size=2,
        ),
    },
)


@given(deltas=st.lists(_delta, max_size=8), cut=st.none() | st.integers(1, 60))
def test_the_items_of_a_stream_hold_all_that_was_said(
    streamed: Streamed, deltas: list[Json], cut: int | None
) -> None:
    recording = streamed(*deltas, cut=cut)
    output = recording.events[-1]["response"]["output"]
    texts = [part for item in output for part in item.get("content", item.get("summary", ()))]
    said = {"output_text": "content", "refusal": "refusal", "summary_text": "reasoning_content"}
    for kind, field in said.items():
        whole = "".join(part.get("text", part.get("refusal")) for part in texts if part["type"] == kind)
        assert whole == "".join(delta.get(field) or "" for delta in deltas)
    calls: dict[int, str] = {}
    for call in (call for delta in deltas for call in delta.get("tool_calls", ())):
        calls[call["index"]] = calls.get(call["index"], "") + call.get("function", {}).get("arguments", "")
    assert [item["arguments"] for item in output if item["type"] == "function_call"] == list(calls.values())
    opened = recording.kinds.count("output_item.added")
    assert opened == recording.kinds.count("output_item.done") == len(output)
