from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.identity.claims import claim, read_bearer
from gateway.identity.issuers import Issuer

ISSUER = Issuer(
    issuer="https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE01",
    client_ids=("app", "machine"),
    token_use="access",
)
PERSON = {"sub": "4f8c", "client_id": "app", "username": "ada", "cognito:groups": ["a", "b"]}
MACHINE = {"sub": "machine", "client_id": "machine", "scope": "gateway/invoke gateway/other"}


def issuer(**values: Any) -> Issuer:
    return ISSUER.model_copy(update=values)


def test_a_person_has_a_name_and_roles() -> None:
    bearer = read_bearer(PERSON, ISSUER)
    assert (bearer.kind, bearer.id, bearer.name, bearer.roles) == ("user", "4f8c", "ada", ("a", "b"))
    assert bearer.project is None


def test_other_claims_may_hold_them() -> None:
    claims = {"sub": "4f8c", "email": "ada@example.com", "realm_access": {"roles": ["a"]}, "team": "search"}
    bearer = read_bearer(
        claims, issuer(roles_claim="realm_access.roles", name_claim="email", project_claim="team")
    )
    assert (bearer.name, bearer.roles, bearer.project) == ("ada@example.com", ("a",), "search")
    assert read_bearer(claims, issuer(project_claim="org")).project is None


def test_a_machine_is_its_own_subject() -> None:
    bearer = read_bearer(MACHINE, ISSUER)
    assert (bearer.kind, bearer.id, bearer.name, bearer.roles) == ("client", "machine", "machine", ())
    assert read_bearer({"sub": "m", "azp": "m"}, ISSUER).kind == "client"
    assert read_bearer({"sub": "m"}, ISSUER).kind == "user"
    assert read_bearer({**MACHINE, "username": "ada"}, ISSUER).kind == "user"


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "job@clients", "azp": "job"},
        {"sub": "0d3a", "azp": "job", "idtyp": "app"},
        {"sub": "0d3a", "appid": "job", "idtyp": "app"},
        {"sub": "0d3a", "azp": "Job", "preferred_username": "service-account-job"},
    ],
)
def test_machines_of_issuers_that_name_another_subject(claims: dict[str, Any]) -> None:
    bearer = read_bearer(claims, ISSUER)
    assert (bearer.kind, bearer.id.lower()) == ("client", "job")
    with pytest.raises(GatewayError):
        read_bearer(claims, issuer(required_scope="gateway/invoke"))


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "0d3a", "azp": "web", "preferred_username": "service-account-job"},
        {"sub": "0d3a", "azp": "web", "idtyp": "user"},
        {"sub": "job@clients", "azp": "web"},
        {"sub": "0d3a", "idtyp": "app"},
    ],
)
def test_people_are_no_machines(claims: dict[str, Any]) -> None:
    assert read_bearer(claims, ISSUER).kind == "user"


def test_a_machine_needs_the_scope_that_is_required() -> None:
    scoped = issuer(required_scope="gateway/invoke")
    read_bearer(MACHINE, scoped)
    read_bearer(PERSON, scoped)
    for scope in ("gateway/invoke-all", "gateway/", "", None, ["gateway/invoke"]):
        with pytest.raises(GatewayError) as caught:
            read_bearer({**MACHINE, "scope": scope}, scoped)
        assert (caught.value.status, caught.value.code) == (403, "insufficient_scope")


@pytest.mark.parametrize("subject", ["", None, 7, "s" * 257, "a\nb", "ä", ["4f8c"]])
def test_a_subject_that_is_no_identifier(subject: object) -> None:
    with pytest.raises(GatewayError) as caught:
        read_bearer({**PERSON, "sub": subject}, ISSUER)
    assert caught.value.status == 401


@pytest.mark.parametrize(
    ("groups", "roles"),
    [(None, ()), ("a", ("a",)), (["a", 7, None], ("a",)), ({"a": 1}, ()), (7, ()), ([], ())],
)
def test_roles_that_make_no_sense_are_none(groups: object, roles: tuple[str, ...]) -> None:
    assert read_bearer({**PERSON, "cognito:groups": groups}, ISSUER).roles == roles


def test_a_name_that_makes_no_sense_is_replaced() -> None:
    for name in ("", None, 7, "a\x1b[31m", "n" * 300):
        assert read_bearer({**PERSON, "username": name}, ISSUER).name == "4f8c"


def test_a_claims_whole_name_comes_before_a_path() -> None:
    assert claim({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert claim({"https://example.com/roles": ["x"]}, "https://example.com/roles") == ["x"]
    assert claim({"a": {"b": 2}}, "a.b") == 2
    assert claim({"a": [1]}, "a.b") is None
    assert claim({}, "a") is None
