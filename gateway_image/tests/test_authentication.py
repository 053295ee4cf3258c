"""Whose key a request carries, and in which header."""

import json
from typing import Any

import pytest

from gateway.api_keys import ApiKeys, parse_api_keys
from gateway.authentication import authenticate
from gateway.errors import GatewayError
from gateway.request import CONNECTION, Request

KEY = "key-of-the-team-0123456789abcdefghij"
OTHER = "key-of-another-0123456789abcdefghijk"


async def _unused(*_: Any) -> Any:
    raise AssertionError("authentication reads headers only")


@pytest.fixture
def keys() -> ApiKeys:
    return parse_api_keys(json.dumps({"team": KEY, "other": OTHER}))


def request(**headers: str) -> Request:
    named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {"method": "POST", "path": "/v1/messages", "headers": named, "state": {CONNECTION: None}}
    return Request(scope, _unused, _unused)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY} "},
        {"x_api_key": KEY},
        {"api_key": f" {KEY}"},
        {"x_api_key": KEY, "authorization": f"Bearer {KEY}", "api_key": KEY},
        {"x_api_key": KEY, "authorization": "Basic dXNlcjpwYXNz"},
        {"x_api_key": "", "authorization": f"Bearer {KEY}"},
    ],
)
def test_a_key_is_found_in_any_header_that_clients_use(keys: ApiKeys, headers: dict[str, str]) -> None:
    given = request(**headers)
    assert authenticate(given, keys).name == "team"
    assert given.record.caller == "team"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, None),
        ({"authorization": KEY}, 401, None),
        ({"authorization": "Bearer "}, 401, None),
        ({"authorization": "Basic dXNlcjpwYXNz"}, 401, None),
        ({"x_api_key": "wrong"}, 401, "invalid_api_key"),
        ({"x_api_key": "schlüssel"}, 401, "invalid_api_key"),
        ({"x_api_key": KEY, "authorization": f"Bearer {OTHER}"}, 400, "ambiguous_api_key"),
        ({"x_api_key": "wrong", "api_key": KEY}, 400, "ambiguous_api_key"),
    ],
)
def test_no_key_a_wrong_one_and_several(
    keys: ApiKeys, headers: dict[str, str], status: int, code: str | None
) -> None:
    given = request(**headers)
    with pytest.raises(GatewayError) as caught:
        authenticate(given, keys)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert KEY not in caught.value.message
    assert given.record.caller is None
