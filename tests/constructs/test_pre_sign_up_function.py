"""Who may get an account: events as Cognito sends them."""

from typing import Any

import pytest

from gatehouse.functions.pre_sign_up import index


@pytest.fixture(autouse=True)
def allowed_domains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_DOMAINS", "example.com,example.org")


def _event(source: str = "PreSignUp_SignUp", **attributes: Any) -> dict[str, Any]:
    return {
        "version": "1",
        "region": "us-east-1",
        "userPoolId": "us-east-1_EXAMPLE01",
        "userName": "4f8c1d2e-0000-4000-8000-000000000001",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "1example23456789"},
        "triggerSource": source,
        "request": {"userAttributes": attributes, "validationData": None},
        "response": {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False},
    }


@pytest.mark.parametrize("address", ["ada@example.com", "Ada@EXAMPLE.com", "a.b+c@example.org"])
def test_addresses_of_the_domains_are_welcome(address: str) -> None:
    event = _event(email=address)
    assert index.on_event(event, None) == _event(email=address)


def test_nobody_is_confirmed_without_the_code_that_is_sent_to_them() -> None:
    answer = index.on_event(_event(email="ada@example.com"), None)["response"]
    assert answer == {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False}


@pytest.mark.parametrize(
    "address",
    [
        "eve@evil.example",
        "eve@example.com.evil.example",
        "eve@sub.example.com",
        "eve@notexample.com",
        "eve@evil.example@example.com",
        "ada@example.com@evil.example",
        '"ada@example.com"@evil.example',
        "eve@example.com ",
        "eve@example.com\n",
        "eve@example.com,example.org",
        "eve@ехample.com",  # a Cyrillic letter
        "eve@example.com.",
        "@example.com",
        "example.com",
        "eve@",
        "",
        None,
        ["ada@example.com"],
    ],
)
def test_others_are_refused_and_told_why(address: object) -> None:
    with pytest.raises(index.RefusedError) as caught:
        index.on_event(_event(email=address), None)
    assert str(caught.value) == "Accounts are for addresses of example.com, example.org."


def test_a_letter_that_becomes_another_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_DOMAINS", "bank.example")
    index.on_event(_event(email="ada@bank.example"), None)
    kelvin = "ban\u212a.example"
    assert kelvin.lower() == "bank.example"
    with pytest.raises(index.RefusedError):
        index.on_event(_event(email=f"eve@{kelvin}"), None)


def test_an_account_without_an_address_is_refused() -> None:
    with pytest.raises(index.RefusedError):
        index.on_event(_event(phone_number="+15550100"), None)


def test_the_same_holds_for_who_comes_from_a_provider() -> None:
    attributes = {"cognito:email_alias": "", "cognito:phone_number_alias": "", "email_verified": "false"}
    source = "PreSignUp_ExternalProvider"
    event = _event(source, email="ada@example.com", **attributes)
    assert index.on_event(event, None) is event
    with pytest.raises(index.RefusedError):
        index.on_event(_event(source, email="eve@evil.example", **attributes), None)


def test_administrators_decide_for_themselves() -> None:
    event = _event("PreSignUp_AdminCreateUser", email="guest@partner.example")
    assert index.on_event(event, None) is event


def test_a_way_that_nobody_knows_is_closed() -> None:
    with pytest.raises(index.RefusedError):
        index.on_event(_event("PreSignUp_New", email="ada@example.com"), None)


@pytest.mark.parametrize("event", [{}, {"triggerSource": "PreSignUp_SignUp"}, {"triggerSource": None}])
def test_what_is_no_event_opens_nothing(event: dict[str, Any]) -> None:
    with pytest.raises((KeyError, index.RefusedError)):
        index.on_event(event, None)


def test_without_its_list_it_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALLOWED_DOMAINS")
    with pytest.raises(KeyError):
        index.on_event(_event(email="ada@example.com"), None)


def test_an_empty_list_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_DOMAINS", "")
    for address in ("ada@example.com", "ada@", ""):
        with pytest.raises(index.RefusedError):
            index.on_event(_event(email=address), None)


def test_the_log_names_the_domain_and_never_the_person(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(index.RefusedError):
        index.on_event(_event(email="mallory@evil.example"), None)
    written = capsys.readouterr().out
    assert "evil.example" in written
    assert "mallory" not in written
