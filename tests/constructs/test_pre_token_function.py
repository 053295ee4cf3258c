"""What is in people's tokens: events of version 2 as Cognito sends them, and the gateway reads the result."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gatehouse.functions.pre_token import index
from gateway.identity.claims import read_bearer
from gateway.identity.issuers import Issuer

ROLES = {"Corporate": {"gateway-admins": "admin", "search": "developers"}, "Partner": {"search": "guests"}}


@pytest.fixture(autouse=True)
def provider_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVIDER_ROLES", json.dumps(ROLES))


def _event(attributes: Mapping[str, str] | None = None, *, groups: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "version": "2",
        "triggerSource": "TokenGeneration_HostedAuth",
        "region": "us-east-1",
        "userPoolId": "us-east-1_EXAMPLE01",
        "userName": "4f8c1d2e-0000-4000-8000-000000000001",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "1example23456789"},
        "request": {
            "userAttributes": {
                "sub": "4f8c1d2e-0000-4000-8000-000000000001",
                "email_verified": "true",
                "cognito:user_status": "CONFIRMED",
                "email": "ada@example.com",
                **(attributes or {}),
            },
            "groupConfiguration": {
                "groupsToOverride": list(groups),
                "iamRolesToOverride": [],
                "preferredRole": None,
            },
            "scopes": ["openid", "email", "profile"],
        },
        "response": {"claimsAndScopeOverrideDetails": None},
    }


def _from_provider(
    attributes: Mapping[str, str], *, groups: Sequence[str] = (), provider: str = "Corporate"
) -> dict[str, Any]:
    identity = {
        "userId": "ada",
        "providerName": provider,
        "providerType": "SAML",
        "issuer": "https://login.example.com",
        "primary": "true",
        "dateCreated": "1764547200000",
    }
    known = {"cognito:user_status": "EXTERNAL_PROVIDER", "identities": json.dumps([identity])}
    return _event({**known, **attributes}, groups=groups)


def _details(event: dict[str, Any]) -> dict[str, Any]:
    answer = index.on_event(event, None)
    assert answer is event
    details: dict[str, Any] = answer["response"]["claimsAndScopeOverrideDetails"]
    return details


def _project(event: dict[str, Any]) -> str | None:
    token = _details(event).get("accessTokenGeneration", {"claimsToAddOrOverride": {}})
    project: str | None = token["claimsToAddOrOverride"].get("project")
    return project


def _groups(event: dict[str, Any]) -> list[str] | None:
    groups: list[str] | None = _details(event).get("groupOverrideDetails", {}).get("groupsToOverride")
    return groups


def test_the_project_is_what_an_administrator_wrote() -> None:
    assert _project(_event({"custom:project": "search"})) == "search"
    assert _details(_event(groups=["user"])) == {}
    assert _project(_event({"custom:project": ""})) is None


def test_the_groups_here_stay_as_they_are() -> None:
    assert _groups(_event(groups=["user", "admin"])) is None


def test_a_provider_says_the_project_of_people_whom_it_alone_knows() -> None:
    assert _project(_from_provider({"custom:provider_project": "search"})) == "search"
    both = {"custom:project": "research", "custom:provider_project": "search"}
    assert _project(_from_provider(both)) == "research"


@pytest.mark.parametrize("status", ["CONFIRMED", "FORCE_CHANGE_PASSWORD", "RESET_REQUIRED", ""])
def test_who_has_a_password_here_cannot_write_what_a_provider_would_say(status: str) -> None:
    """Also with an identity of the provider linked to the account."""
    event = _from_provider(
        {
            "cognito:user_status": status,
            "custom:provider_project": "search",
            "custom:provider_groups": "[gateway-admins]",
        },
        groups=["user"],
    )
    assert _details(event) == {}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("gateway-admins", ["user", "admin"]),
        ("[gateway-admins]", ["user", "admin"]),
        ("[all staff, search, gateway-admins]", ["user", "developers", "admin"]),
        ('["all staff", "search"]', ["user", "developers"]),
        ('["search", 7, null, ["gateway-admins"]]', ["user", "developers"]),
        ("[]", None),
        ("", None),
        ("all staff", None),
        ("Gateway-Admins", None),
        ("gateway-admins-of-another-kind", None),
        ("7", None),
        ('{"gateway-admins": true}', None),
    ],
)
def test_groups_of_a_provider_give_the_roles_that_are_configured(
    told: str, expected: list[str] | None
) -> None:
    assert _groups(_from_provider({"custom:provider_groups": told}, groups=["user"])) == expected


def test_a_group_means_what_it_means_at_its_own_provider() -> None:
    told = {"custom:provider_groups": "[search, gateway-admins]"}
    assert _groups(_from_provider(told, provider="Partner")) == ["guests"]
    assert _groups(_from_provider(told, provider="Unknown")) is None


@pytest.mark.parametrize(
    "identities", ["", "{", "7", "[]", "[{}]", "[7]", '[{"providerName": ["Corporate"]}]']
)
def test_a_provider_that_is_not_clear_gives_no_role(identities: str) -> None:
    event = _from_provider({"identities": identities, "custom:provider_groups": "gateway-admins"})
    assert _groups(event) is None


def test_two_providers_give_no_role() -> None:
    identities = json.dumps([{"providerName": "Corporate"}, {"providerName": "Partner"}])
    event = _from_provider({"identities": identities, "custom:provider_groups": "search"})
    assert _groups(event) is None


def test_a_role_is_given_once() -> None:
    event = _from_provider({"custom:provider_groups": "[search, search]"}, groups=["developers", "user"])
    assert _groups(event) == ["developers", "user"]


@pytest.mark.parametrize(
    "source",
    [
        "TokenGeneration_Authentication",
        "TokenGeneration_RefreshTokens",
        "TokenGeneration_NewPasswordChallenge",
        "TokenGeneration_Something",
    ],
)
def test_every_token_gets_them(source: str) -> None:
    event = _event({"custom:project": "search"}) | {"triggerSource": source}
    assert _project(event) == "search"


def test_a_person_without_groups_may_come_without_a_list() -> None:
    event = _event()
    event["request"]["groupConfiguration"]["groupsToOverride"] = None
    assert _details(event) == {}


@pytest.mark.parametrize("event", [{}, {"request": {}}, {"request": {"userAttributes": {}}}])
def test_what_is_no_event_gets_no_token(event: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        index.on_event(event, None)


def test_the_gateway_reads_what_is_written() -> None:
    told = {"custom:provider_project": "search", "custom:provider_groups": "[gateway-admins]"}
    details = _details(_from_provider(told, groups=["user"]))
    claims = {
        "sub": "4f8c1d2e-0000-4000-8000-000000000001",
        "username": "Corporate_ada",
        "cognito:groups": details["groupOverrideDetails"]["groupsToOverride"],
        **details["accessTokenGeneration"]["claimsToAddOrOverride"],
    }
    issuer = Issuer(
        issuer="https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE01",
        token_use="access",
        client_ids=("1example23456789",),
        project_claim=index.PROJECT_CLAIM,
    )
    bearer = read_bearer(claims, issuer)
    assert (bearer.kind, bearer.roles, bearer.project) == ("user", ("user", "admin"), "search")
