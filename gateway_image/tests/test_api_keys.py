import json

import pytest

from gateway.api_keys import parse_api_keys

KEY = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"


def test_each_key_names_its_caller() -> None:
    keys = parse_api_keys(json.dumps({"ci": KEY, "batch.nightly": OTHER}))
    assert keys.caller(KEY) == "ci"
    assert keys.caller(OTHER) == "batch.nightly"
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
