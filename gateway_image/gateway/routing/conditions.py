"""Conditions of the catalog as tests of a call."""

import re
from collections.abc import Callable, Sequence
from math import nan
from typing import Any

import msgspec

from gateway.call import Call
from gateway.callers import Caller
from gateway.catalog.strategies import Condition

Test = Callable[[Call, Caller], bool]
_Value = str | bool | float | None

# Quotes within a JSON string are escaped, so that a prompt which holds such words does not match.
_IMAGE = re.compile(rb'"type"\s*:\s*"(?:image_url|input_image|image)"')
_decode_list = msgspec.json.Decoder(list[msgspec.Raw] | None).decode
_decode_metadata = msgspec.json.Decoder(dict[str, Any] | None).decode


def all_hold(conditions: Sequence[Condition]) -> Test:
    """Make the test whether a call meets all conditions."""
    tests = [_test(condition) for condition in conditions]
    return lambda call, caller: all(test(call, caller) for test in tests)


def _test(condition: Condition) -> Test:
    value = _reader(condition.field)
    if (allowed := condition.is_in) is not None:
        return lambda call, caller: value(call, caller) in allowed
    if (refused := condition.not_in) is not None:
        return lambda call, caller: value(call, caller) not in refused
    if (least := condition.at_least) is not None:
        return lambda call, caller: _number(value(call, caller)) >= least
    most = condition.at_most
    assert most is not None  # noqa: S101 (the catalog's rules: a condition has exactly one test)
    return lambda call, caller: _number(value(call, caller)) <= most


def _reader(field: str) -> Callable[[Call, Caller], _Value]:
    """What reads a field of a request; it returns None for a request that lacks the field."""
    kind, _, name = field.partition(".")
    if kind == "header":
        return lambda call, _caller: call.headers.get(name)
    if kind == "metadata":
        return lambda call, _caller: _metadata(call, name)
    return _READERS[kind]


def _number(value: _Value) -> float:
    """A value as a number; text that is none, as a missing value, is above and below no limit."""
    try:
        return nan if value is None else float(value)
    except (ValueError, OverflowError):
        return nan


def _has_tools(call: Call) -> bool:
    try:
        return bool(_decode_list(call.fields.get("tools", b"null")))
    except msgspec.DecodeError:
        # Not what the API asks for; the deployment's translation says so.
        return False


def _has_images(call: Call) -> bool:
    content = call.fields.get("messages") or call.fields.get("input")
    return content is not None and _IMAGE.search(content) is not None


def _metadata(call: Call, name: str) -> _Value:
    try:
        value = (_decode_metadata(call.fields.get("metadata", b"null")) or {}).get(name)
    except msgspec.DecodeError:
        return None
    return value if isinstance(value, str | bool | int | float) else None


_READERS: dict[str, Callable[[Call, Caller], _Value]] = {
    "caller": lambda _call, caller: caller.name,
    "operation": lambda call, _caller: call.operation,
    "stream": lambda call, _caller: call.stream,
    "tools": lambda call, _caller: _has_tools(call),
    "images": lambda call, _caller: _has_images(call),
    "input_tokens": lambda call, _caller: call.estimated_input_tokens,
    "max_output_tokens": lambda call, _caller: call.max_output_tokens,
}
