import json

import pytest

from gateway.callers import Caller
from gateway.identity.bootstrap_keys import by_digest, parse_api_keys
from gateway.identity.key_format import digest, make_key
from gateway.limits import UNLIMITED, Limits

KEY = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
SECRET = b"hashing-secret-of-the-tests-0123456789"


def caller_of(entry: object) -> Caller:
    (key,) = parse_api_keys(json.dumps({"batch": entry}))
    assert key.key == KEY
    return key.caller


def test_each_key_names_its_caller_and_is_not_kept() -> None:
    keys = parse_api_keys(json.dumps({"ci": KEY, "batch.nightly": OTHER, "made": make_key()}))
    callers = by_digest(keys, SECRET)
    caller = callers[digest(SECRET, KEY)]
    assert (caller.id, caller.name, caller.kind) == ("bootstrap:ci", "ci", "bootstrap")
    assert callers[digest(SECRET, OTHER)].id == "bootstrap:batch.nightly"
    assert callers.get(digest(SECRET, KEY[:-1])) is None
    assert KEY not in repr(keys)
    assert KEY not in repr(callers)


def test_a_bare_key_is_an_administrators_without_limits() -> None:
    caller = caller_of(KEY)
    assert caller.is_admin
    assert caller.limits == UNLIMITED
    assert caller.priority == "normal"
    assert caller.limits_on("any-model") == ()


def test_a_key_may_come_with_what_it_allows() -> None:
    caller = caller_of({"key": KEY, "priority": "low", "admin": False, "limits": {"requests_per_minute": 3}})
    assert not caller.is_admin
    assert caller.priority == "low"
    assert caller.limits == Limits(requests_per_minute=3)
    assert caller_of({"key": KEY, "limits": {}}).limits == UNLIMITED


@pytest.mark.parametrize(
    "secret", ["", "{", "[]", "[1]", '"key"', "null", '["a", "b"]', '{"a": {', "[" * 99999]
)
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


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"limits": {}}, "caller 'a' has a key that is not allowed"),
        (
            {"key": KEY, "limits": {"requests_per_minute": 0}},
            "limits that cannot be read: requests_per_minute",
        ),
        ({"key": KEY, "limits": {"requests_per_second": 1}}, "limits that cannot be read: unknown limit"),
        ({"key": KEY, "limits": {KEY: 1}}, "limits that cannot be read: unknown limit"),
        ({"key": KEY, "limits": 3}, "limits that are no object"),
        ({"key": KEY, "priority": "urgent"}, "not one of high, normal, low"),
        ({"key": KEY, "priority": ["high"]}, "not one of high, normal, low"),
        ({"key": KEY, "admin": "yes"}, "neither true nor false"),
        ({"key": KEY, "requests_per_minute": 3}, "is neither a key nor an object such as"),
    ],
)
def test_what_is_wrong_is_named(entry: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        parse_api_keys(json.dumps({"a": entry}))
    assert KEY not in str(caught.value)


def test_what_stands_there_twice_is_refused() -> None:
    for entry in (
        f'{{"key": "{KEY}", "key": "{OTHER}"}}',
        f'{{"key": "{KEY}", "limits": {{"a": 1, "a": 2}}}}',
    ):
        with pytest.raises(ValueError, match="caller 'a'"):
            parse_api_keys(f'{{"a": {entry}}}')
