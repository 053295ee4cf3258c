"""What people are written: events as Cognito sends them."""

import re
from typing import Any

import pytest

from gatehouse.functions.custom_message import index

SOURCES = [
    "CustomMessage_AdminCreateUser",
    "CustomMessage_ForgotPassword",
    "CustomMessage_ResendCode",
    "CustomMessage_SignUp",
    "CustomMessage_UpdateUserAttribute",
    "CustomMessage_VerifyUserAttribute",
]


@pytest.fixture(autouse=True)
def platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORM_NAME", "Gatehouse prod")
    monkeypatch.setenv("PLATFORM_URL", "https://api.gatehouse.example.com")


def _event(source: str, **attributes: str) -> dict[str, Any]:
    return {
        "version": "1",
        "region": "us-east-1",
        "userPoolId": "us-east-1_EXAMPLE01",
        "userName": "4f8c1d2e-0000-4000-8000-000000000001",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "1example23456789"},
        "triggerSource": source,
        "request": {
            "userAttributes": {"email": "ada@example.com", **attributes},
            "codeParameter": "{####}",
            "linkParameter": "{##Click Here##}",
            "usernameParameter": "{username}" if source == "CustomMessage_AdminCreateUser" else None,
        },
        "response": {"smsMessage": None, "emailMessage": None, "emailSubject": None},
    }


def _mail(source: str, **attributes: str) -> tuple[str, str]:
    response = index.on_event(_event(source, **attributes), None)["response"]
    return response["emailSubject"], response["emailMessage"]


@pytest.mark.parametrize("source", SOURCES)
def test_each_mail_says_whose_it_is_and_holds_the_code(source: str) -> None:
    subject, body = _mail(source)
    assert "Gatehouse prod" in subject
    assert "Gatehouse prod" in body
    assert body.count("{####}") == 1


@pytest.mark.parametrize("source", SOURCES)
def test_cognito_takes_them(source: str) -> None:
    subject, body = _mail(source)
    assert len(subject) <= 140
    assert len(body) <= 20_000
    # Each brace left is part of a placeholder of Cognito's.
    assert set(re.findall(r"\{[^}]*\}", body)) <= {"{####}", "{username}"}


def test_an_invitation_says_where_and_who() -> None:
    _, body = _mail("CustomMessage_AdminCreateUser")
    assert "{username}" in body
    assert '<a href="https://api.gatehouse.example.com">https://api.gatehouse.example.com</a>' in body


@pytest.mark.parametrize("source", SOURCES[1:])
def test_who_did_not_ask_is_told_to_do_nothing(source: str) -> None:
    assert "If you did not ask for this, ignore this mail" in _mail(source)[1]


@pytest.mark.parametrize("source", SOURCES)
def test_no_stranger_s_words_are_sent(source: str) -> None:
    """A name from a sign-up form would be a message to whoever owns the address."""
    words = '<a href="https://evil.example">You won</a>'
    assert _mail(source, name=words, given_name=words) == _mail(source)


def test_the_platform_s_own_name_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORM_NAME", "R&D <test>")
    subject, body = _mail("CustomMessage_SignUp")
    assert "R&D <test>" in subject
    assert "R&amp;D &lt;test&gt;" in body


@pytest.mark.parametrize("source", ["CustomMessage_Authentication", "CustomMessage_New"])
def test_messages_that_it_does_not_know_stay_cognito_s(source: str) -> None:
    assert index.on_event(_event(source), None) == _event(source)


@pytest.mark.parametrize("event", [{}, {"triggerSource": "CustomMessage_SignUp"}])
def test_what_is_no_event_sends_nothing(event: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        index.on_event(event, None)
