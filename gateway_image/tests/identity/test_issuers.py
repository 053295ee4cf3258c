import json
from typing import Any

import pytest

from gateway.identity.issuers import is_safe_url, parse_issuers
from gateway.settings import Settings, SettingsError

POOL = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE01"
ENTRY = {"issuer": POOL, "client_ids": ["client"], "token_use": "access"}


def parse(**values: Any) -> Any:
    return parse_issuers(json.dumps([{**ENTRY, **values}]))[0]


def test_a_user_pool_needs_little() -> None:
    issuer = parse()
    assert issuer.keys_url == f"{POOL}/.well-known/jwks.json"
    assert issuer.algorithms == ("RS256",)
    assert issuer.roles_claim == "cognito:groups"
    assert issuer.names == (POOL,)


@pytest.mark.parametrize(
    "issuer",
    [
        "https://issuer-cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE01",
        "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_EXAMPLE01",
    ],
)
def test_other_forms_of_user_pools(issuer: str) -> None:
    assert parse(issuer=issuer).keys_url == f"{issuer}/.well-known/jwks.json"


@pytest.mark.parametrize(
    "issuer",
    [
        "https://login.example.com/",
        "https://login.example.com",
        "https://cognito-idp.us-east-1.amazonaws.com.example.com/x",
    ],
)
def test_others_say_in_a_document_where_their_keys_are(issuer: str) -> None:
    found = parse(issuer=issuer)
    assert found.keys_url is None
    assert found.discovery_url == f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    assert parse(issuer=issuer, jwks_url=f"{issuer}/k").keys_url == f"{issuer}/k"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"issuer": "http://login.example.com"}, r"\[0\]\.issuer: .* not an absolute https URL"),
        ({"jwks_url": "http://login.example.com/keys"}, r"\[0\]\.jwks_url"),
        ({"aliases": ["ftp://x"]}, r"\[0\]\.aliases"),
        ({"client_ids": []}, "tokens of every application"),
        ({"token_use": None}, "say with token_use"),
        ({"token_use": "refresh"}, r"token_use: .*'access' or 'id'"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"algorithms": ["none"]}, "algorithms"),
        ({"algorithms": []}, "algorithms"),
        ({"audience": "x"}, "audience: Extra inputs"),
        ({"aliases": [POOL]}, "twice"),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse(**values)


@pytest.mark.parametrize("text", ["", "{}", "null", "[1]", '[{"issuer": 1}]'])
def test_only_an_array_of_issuers_is_read(text: str) -> None:
    with pytest.raises(ValueError, match="no JSON array of issuers"):
        parse_issuers(text)


def test_no_issuer_is_named_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        parse_issuers(json.dumps([ENTRY, ENTRY]))
    assert parse_issuers("[]") == ()


def test_settings_are_checked_when_the_gateway_starts(make_settings: Any) -> None:
    settings: Settings = make_settings()
    assert parse_issuers(settings.identity_issuers) == ()
    with pytest.raises(SettingsError, match="GATEWAY_IDENTITY_ISSUERS: is no JSON array"):
        make_settings(identity_issuers='[{"issuer": "x"}]')


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://login.example.com/keys", True),
        ("http://127.0.0.1:9/keys", True),
        ("http://localhost/keys", True),
        ("http://[::1]:80/keys", True),
        ("http://login.example.com/keys", False),
        ("http://localhost.example.com/keys", False),
        ("https://user@login.example.com/", False),
        ("https://login.example.com/?a=b", False),
        ("https://login.example.com/#a", False),
        ("https://login.example.com/a b", False),
        ("https://login.example.com:port/", False),
        ("https:///keys", False),
        ("login.example.com", False),
        ("https://[::1", False),
    ],
)
def test_where_keys_may_come_from(url: str, safe: bool) -> None:
    assert is_safe_url(url) is safe
