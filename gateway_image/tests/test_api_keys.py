import json

import pytest

from gateway.api_keys import Caller, parse_api_keys

KEY = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"


def test_each_key_names_its_caller() -> None:
    keys = parse_api_keys(json.dumps({"ci": KEY, "batch.nightly": OTHER}))
    assert keys.caller(KEY) == Caller("ci")
    assert keys.caller(OTHER) == Caller("batch.nightly")
    assert keys.caller(KEY[:-1]) is None
    assert keys.caller("") is None


@pytest.mark.parametrize("secret", ["", "{", "[]", "[1]", '"key"', "null", '["a", "b"]', '{"a": {'])
def test_only_a_json_object_is_accepted(secret: str) -> None:
    with pytest.raises(ValueError, match=r"JSON object of caller name to API key|holds no API key"):
        parse_api_keys(secret)


def test_every_wrong_entry_is_named_and_no_key_is_shown() -> None:
    secret = json.dumps({"short": "tooshort", "blank": f" {KEY}", KEY: "swapped", "number": 7, "ok": OTHER})
    with pytest.raises(ValueError, match="caller 'short'") as caught:
        parse_api_keys(secret)
    message = str(caught.value)
    assert "caller 'blank'" in message
    assert "caller 'number'" in message
    assert "entry 3" in message
    assert "'ok'" not in message
    for key in (KEY, OTHER, "tooshort"):
        assert key not in message


def test_callers_are_told_apart() -> None:
    with pytest.raises(ValueError, match="callers 'a' and 'b' have the same key"):
        parse_api_keys(json.dumps({"a": KEY, "b": KEY}))
    with pytest.raises(ValueError, match="caller 'a' is named twice"):
        parse_api_keys(f'{{"a": "{KEY}", "a": "{OTHER}"}}')


def test_a_key_may_come_with_a_limit_and_a_priority() -> None:
    entry = {"key": KEY, "requests_per_minute": 3, "priority": "low"}
    assert parse_api_keys(json.dumps({"batch": entry})).caller(KEY) == Caller("batch", 3, "low")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"requests_per_minute": 3}, "caller 'a' has a key that is not allowed"),
        ({"key": KEY, "requests_per_minute": 0}, "caller 'a' has a requests_per_minute"),
        ({"key": KEY, "requests_per_minute": "3"}, "caller 'a' has a requests_per_minute"),
        ({"key": KEY, "requests_per_minute": True}, "caller 'a' has a requests_per_minute"),
        ({"key": KEY, "priority": "urgent"}, "not one of high, normal, low"),
        ({"key": KEY, "limit": 3}, "is neither a key nor an object such as"),
    ],
)
def test_a_wrong_limit_is_named(entry: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        parse_api_keys(json.dumps({"a": entry}))
    assert KEY not in str(caught.value)
