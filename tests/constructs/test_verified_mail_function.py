"""The function that waits for Amazon SES: how long, and what it says of a domain that is not verified."""

from collections.abc import Iterator
from typing import Any

import pytest

from gatehouse.functions import cloudformation
from gatehouse.functions.verified_mail import index
from tests.constructs.custom_resources import LAMBDA_SECONDS, CustomResource, custom_resource

DOMAIN = "mail.gatehouse.example.com"


class Ses:
    """Says whether the domain is verified: each answer once, the last again and again."""

    def __init__(self, *answers: bool) -> None:
        self._answers = list(answers)
        self.asked = 0

    def get_email_identity(self, **asked: Any) -> dict[str, Any]:
        assert asked == {"EmailIdentity": DOMAIN}
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return {"VerifiedForSendingStatus": answer, "DkimAttributes": {"Status": "PENDING"}}


@pytest.fixture
def resource(monkeypatch: pytest.MonkeyPatch) -> Iterator[CustomResource]:
    with custom_resource(index, {"Domain": DOMAIN}, monkeypatch) as resource:
        yield resource


@pytest.mark.parametrize("request_type", ["Create", "Update"])
@pytest.mark.parametrize("answers", [(True,), (False, False, True)])
def test_it_waits_until_the_domain_is_verified(
    request_type: str, answers: tuple[bool, ...], resource: CustomResource
) -> None:
    began = resource.clock.now
    resource.clients["sesv2"] = ses = Ses(*answers)
    assert resource.request(request_type).status == "SUCCESS"
    assert ses.asked == len(answers)
    assert resource.clock.now - began == (len(answers) - 1) * index.POLL_SECONDS


def test_one_that_is_never_verified_fails_in_time_and_says_what_to_look_at(resource: CustomResource) -> None:
    began = resource.clock.now
    resource.clients["sesv2"] = Ses(False)
    status, reason = resource.request()
    assert status == "FAILED"
    assert DOMAIN in reason
    assert "DKIM" in reason
    longest = LAMBDA_SECONDS - cloudformation.RESERVED_SECONDS
    assert longest - index.POLL_SECONDS <= resource.clock.now - began <= longest


def test_removing_it_asks_nothing(resource: CustomResource) -> None:
    resource.clients["sesv2"] = ses = Ses(False)
    assert resource.request("Delete").status == "SUCCESS"
    assert ses.asked == 0
