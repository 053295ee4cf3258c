"""What a caller hears when the body of a chat completion is wrong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.openai.chat import decode_chat_request, decode_envelope


def _user(content: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize(
    ("fields", "param", "code", "told"),
    [
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter", "required"),
        ({"messages": []}, "messages", "invalid_value", "length >= 1"),
        ({"model": 1}, "model", "invalid_value", "got `int`"),
        ({"temprature": 1}, "temprature", "unknown_parameter", "mend its name"),
        ({"temperature": 2.5}, "temperature", "invalid_value", "<= 2.0"),
        ({"stop": ["a", 1]}, "stop[1]", "invalid_value", "got `int`"),
        ({"stop": ["a"] * 5}, "stop", "invalid_value", "length <= 4"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value", ">= 1"),
        (
            {"reasoning_effort": "huge"},
            "reasoning_effort",
            "invalid_value",
            "'huge'; allowed: high, low, max",
        ),
        ({"tool_choice": "any"}, "tool_choice", "invalid_value", "auto, none, required"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role", "invalid_value", "developer"),
        (_user([{"type": "text"}]), "messages[0].content[0].text", "missing_required_parameter", "required"),
        (_user([{"type": "video"}]), "messages[0].content[0].type", "invalid_value", "image_url"),
        (
            _user([{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"uri": "x"}}]),
            "messages[0].content[1].image_url.uri",
            "unknown_parameter",
            "not a parameter",
        ),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "invalid_value", "allowed: function"),
    ],
)
def test_the_field_at_fault_is_named(fields: dict[str, Any], param: str, code: str | None, told: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]} | fields
    with pytest.raises(GatewayError) as caught:
        decode_chat_request(json.dumps(body).encode())
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)
    assert told in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"model": "\xff"}',
        b'{"\xff": 1}',
        b'{"model": "\\ud800"}',
        b'{"audio":{"a":' + b"[" * 10**6,
    ],
)
def test_a_body_that_is_no_json_is_a_400(body: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        decode_chat_request(body)
    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"audio":{"a":' + b"[" * 10**6])
def test_an_envelope_that_is_no_json_is_a_400(body: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        decode_envelope(body)
    assert caught.value.status == 400


def test_the_envelope_holds_what_the_gateway_has_to_know() -> None:
    envelope = decode_envelope(
        b'{"model": "m", "stream": true, "stream_options": {"include_usage": true, "new": 1}, '
        b'"max_completion_tokens": 7, "messages": "left to the provider", "new": {}}'
    )
    assert (envelope.model, envelope.stream, envelope.include_usage) == ("m", True, True)
    assert envelope.max_output_tokens == 7
    plain = decode_envelope(b'{"model": "m", "max_tokens": 5}')
    assert (plain.stream, plain.include_usage, plain.max_output_tokens) == (None, False, 5)


def test_the_urls_model_goes_before_the_bodys() -> None:
    assert decode_envelope(b'{"model": "m"}', model="path").model == "path"
    assert decode_envelope(b"{}", model="path").model == "path"


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": None}, "model", "invalid_value"),
        ({"model": ""}, "model", "missing_required_parameter"),
        ({"stream": "yes"}, "stream", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens", "invalid_value"),
        (
            {"stream": True, "stream_options": {"include_usage": 1}},
            "stream_options.include_usage",
            "invalid_value",
        ),
        ({"stream_options": {"include_usage": True}}, "stream_options", None),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens", "invalid_value"),
        # Providers that make a number of it would write more answers than are reserved.
        ({"n": 9.0}, "n", "invalid_value"),
        ({"n": "9"}, "n", "invalid_value"),
        ({"n": 0}, "n", "invalid_value"),
    ],
)
def test_the_envelopes_field_at_fault_is_named(fields: dict[str, Any], param: str, code: str | None) -> None:
    with pytest.raises(GatewayError) as caught:
        decode_envelope(json.dumps({"model": "m"} | fields).encode())
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)


def _error(body: bytes) -> GatewayError | None:
    try:
        decode_chat_request(body)
    except GatewayError as error:
        return error
    return None


def test_an_error_body_has_openais_shape() -> None:
    with pytest.raises(GatewayError) as caught:
        decode_chat_request(b'{"model": "m", "messages": 1}')
    error = json.loads(caught.value.body())
    assert error == {
        "error": {
            "message": "messages: expected `array`, got `int`.",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "invalid_value",
        }
    }


@given(
    body=st.binary(max_size=200) | st.text(alphabet='{}[]",:\\u0d8n1e"modelsg ', max_size=60).map(str.encode)
)
def test_any_bytes_are_a_request_or_a_400(body: bytes) -> None:
    error = _error(body)
    assert error is None or error.status == 400


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(
    body=st.dictionaries(
        st.sampled_from(
            ["model", "messages", "tools", "tool_choice", "stop", "metadata", "response_format", "x"]
        ),
        _json
        | st.lists(
            st.fixed_dictionaries({"role": st.sampled_from(["user", "tool"])}, optional={"content": _json})
        ),
    )
)
def test_any_json_is_a_request_or_a_400_that_names_a_field(body: dict[str, Any]) -> None:
    error = _error(json.dumps(body).encode())
    assert error is None or (error.status == 400 and error.param) or error.code == "invalid_json"
