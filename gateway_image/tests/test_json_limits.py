import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import json_limits
from gateway.errors import GatewayError
from gateway.json_limits import check_depth, check_encoding


def is_too_deep(body: bytes, limit: int) -> bool:
    try:
        check_depth(body, limit)
    except GatewayError as error:
        return (error.status, error.code) == (400, "json_too_deep")
    return False


def nested(depth: int) -> bytes:
    return b'{"a":[' * (depth // 2) + b"1" + b"]}" * (depth // 2)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def test_the_limit_itself_is_allowed() -> None:
    assert not is_too_deep(nested(100), 100)
    with pytest.raises(GatewayError, match="more than 100 levels"):
        check_depth(nested(102), 100)


def test_many_siblings_are_not_deep() -> None:
    assert not is_too_deep(b"[" + b",".join([b'{"a":[1]}'] * 10_000) + b"]", 3)


@pytest.mark.parametrize(
    "text", ["[" * 500, '"[' * 500, '\\"[' * 500, "\\" * 501 + "[" * 500, "]}" * 500, '{"a":[' * 500]
)
def test_brackets_in_strings_do_not_count(text: str) -> None:
    body = json.dumps({text: [text, {"b": text}]}).encode()
    assert not is_too_deep(body, 3)
    # Nor do closing ones hide how deep it is.
    deeper = json.dumps({text: [text, {text: [text]}]}).encode()
    assert is_too_deep(deeper, 3)


JSON = st.recursive(
    st.text(alphabet='[]{}"\\a', max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='[{"\\', max_size=4), inner),
    max_leaves=12,
)


@given(value=JSON, limit=st.integers(0, 4), window=st.integers(1, 16))
def test_it_is_exact_wherever_the_body_is_cut(value: Any, limit: int, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_limits, "_WINDOW_BYTES", window)
        assert is_too_deep(json.dumps(value).encode(), limit) == (depth_of(value) > limit)


@given(
    body=st.text(alphabet="aß€𝄞", max_size=12).map(str.encode) | st.binary(max_size=12),
    window=st.integers(1, 5),
)
def test_only_utf_8_passes_wherever_the_body_is_cut(body: bytes, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_limits, "_WINDOW_BYTES", window)
        if body.decode(errors="replace").encode() == body:
            check_encoding(body)
            return
        with pytest.raises(GatewayError, match="UTF-8") as caught:
            check_encoding(body)
        assert (caught.value.status, caught.value.code) == (400, "invalid_json")
