"""The function that waits for Amazon SES: it always answers CloudFormation."""

import io
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from gatehouse.functions.verified_mail import index

DOMAIN = "mail.gatehouse.example.com"


def _event(request_type: str = "Create", **more: str) -> dict[str, Any]:
    return {
        "RequestType": request_type,
        "RequestId": "11111111-2222-3333-4444-555555555555",
        "ResponseURL": "https://cloudformation.example.com/answer",
        "StackId": "arn:aws:cloudformation:us-east-1:111111111111:stack/identity/1",
        "LogicalResourceId": "Verified",
        "ResourceProperties": {"Domain": DOMAIN},
        **more,
    }


class Ses:
    """Says whether the domain is verified: each answer once, the last again and again."""

    def __init__(self, *answers: bool | Exception) -> None:
        self._answers = list(answers)
        self.asked = 0

    def get_email_identity(self, **asked: Any) -> dict[str, Any]:
        assert asked == {"EmailIdentity": DOMAIN}
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {"VerifiedForSendingStatus": answer, "DkimAttributes": {"Status": "PENDING"}}


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Context:
    """What Lambda hands over."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(index, "monotonic", clock.monotonic)
    monkeypatch.setattr(index, "sleep", clock.sleep)
    return clock


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What CloudFormation is told."""
    received: list[dict[str, Any]] = []

    def urlopen(request: urllib.request.Request, timeout: float) -> io.BytesIO:
        assert request.get_method() == "PUT"
        assert request.full_url == "https://cloudformation.example.com/answer"
        assert isinstance(request.data, bytes)
        received.append(json.loads(request.data))
        return io.BytesIO()

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return received


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Ses], None]:
    """Puts this in the place of Amazon SES."""

    def offer(ses: Ses) -> None:
        clients = {"sesv2": ses}
        monkeypatch.setattr(boto3, "client", lambda service: clients[service])

    return offer


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_it_waits_until_the_domain_is_verified(
    request_type: str, answers: list[dict[str, Any]], offer: Callable[[Ses], None], clock: Clock
) -> None:
    ses = Ses(False, False, True)
    offer(ses)
    index.on_event(_event(request_type), Context())
    assert [answer["Status"] for answer in answers] == ["SUCCESS"]
    assert ses.asked == 3
    assert clock.now == 1000 + 2 * index.POLL_SECONDS


def test_a_verified_domain_is_not_waited_for(
    answers: list[dict[str, Any]], offer: Callable[[Ses], None], clock: Clock
) -> None:
    offer(Ses(True))
    index.on_event(_event(), Context())
    assert [answer["Status"] for answer in answers] == ["SUCCESS"]
    assert clock.now == 1000


def test_one_that_is_never_verified_fails_in_time_and_says_what_to_look_at(
    answers: list[dict[str, Any]], offer: Callable[[Ses], None], clock: Clock
) -> None:
    offer(Ses(False))
    index.on_event(_event(), Context())
    (answer,) = answers
    assert answer["Status"] == "FAILED"
    assert DOMAIN in answer["Reason"]
    assert "DKIM" in answer["Reason"]
    assert clock.now - 1000 >= 900 - index.RESERVED_SECONDS - index.POLL_SECONDS
    assert clock.now - 1000 <= 900 - index.RESERVED_SECONDS


def test_removing_it_asks_nothing(answers: list[dict[str, Any]], offer: Callable[[Ses], None]) -> None:
    ses = Ses(False)
    offer(ses)
    index.on_event(_event("Delete", PhysicalResourceId="Verified"), Context())
    assert [answer["Status"] for answer in answers] == ["SUCCESS"]
    assert ses.asked == 0


def test_every_answer_has_the_same_name(answers: list[dict[str, Any]], offer: Callable[[Ses], None]) -> None:
    """Another name would have CloudFormation remove the former."""
    offer(Ses(True))
    for event in (_event(), _event("Update", PhysicalResourceId="Verified")):
        index.on_event(event, Context())
    assert [answer["PhysicalResourceId"] for answer in answers] == ["Verified", "Verified"]
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        assert answers[0][name] == _event()[name]


@pytest.mark.parametrize("error", [KeyError("x" * 5000), RuntimeError("away")])
def test_what_nobody_thought_of_is_answered_too(
    error: Exception, answers: list[dict[str, Any]], offer: Callable[[Ses], None]
) -> None:
    offer(Ses(error))
    index.on_event(_event(), Context())
    (answer,) = answers
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(type(error).__name__)
    assert len(json.dumps(answer)) < 4096


def test_an_answer_that_is_lost_is_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def urlopen(request: urllib.request.Request, timeout: float) -> io.BytesIO:
        tried.append(request)
        if len(tried) < 3:
            raise urllib.error.URLError("reset")
        return io.BytesIO()

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    index.answer(_event(), "SUCCESS", "")
    assert len(tried) == 3
