"""What every function of a custom resource does for CloudFormation: it answers, whatever happens."""

import http.client
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from gatehouse.functions import cloudformation
from tests.constructs.custom_resources import LAMBDA_SECONDS, Context, CustomResource, custom_resource

Work = Callable[[dict[str, Any], Any], str | cloudformation.Found]
Made = Callable[[Work], CustomResource]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """A resource, by the work of its function."""
    with ExitStack() as stack:

        def made(work: Work) -> CustomResource:
            module = SimpleNamespace(on_event=cloudformation.answered(work))
            return stack.enter_context(custom_resource(module, {"Size": "1"}, monkeypatch))

        yield made


def _done(event: dict[str, Any], context: Any) -> str:
    return f"{event['RequestType']} with size {event['ResourceProperties']['Size']}"


def _failing(error: Exception) -> Work:
    def work(event: dict[str, Any], context: Any) -> str:
        raise error

    return work


@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_what_the_work_returns_is_the_reason(request_type: str, made: Made) -> None:
    assert made(_done).request(request_type) == ("SUCCESS", f"{request_type} with size 1")


def test_a_name_that_cloudformation_gave_is_answered_with(made: Made) -> None:
    """As to a resource whose first answer never came: it is removed by that name."""
    resource = made(_done)
    (answer,) = resource.call(resource.event("Delete", PhysicalResourceId="given"))
    assert answer["PhysicalResourceId"] == "given"


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("away"), OSError(5, "broken")])
def test_what_nobody_thought_of_is_a_failure_with_its_reason(error: Exception, made: Made) -> None:
    assert made(_failing(error)).request() == ("FAILED", f"{type(error).__name__}: {error}")


@pytest.mark.parametrize("character", ["x", '"', "\n", "ä", "\U0001f6a7"])
def test_a_reason_that_is_too_long_loses_its_end(character: str, made: Made) -> None:
    """The limit is one of bytes, as the answer is written."""
    status, reason = made(_failing(RuntimeError(5000 * character))).request()
    assert status == "FAILED"
    assert reason.startswith("RuntimeError: " + 200 * character)


def test_an_answer_that_is_lost_is_given_again(made: Made) -> None:
    resource = made(_done)
    resource.losses = 2
    assert resource.request().status == "SUCCESS"
    assert resource.losses == 0


def test_an_answer_that_is_given_nonsense_for_thanks_is_given_again(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    def urlopen(request: urllib.request.Request, timeout: float) -> None:
        tries.append(request.full_url)
        raise http.client.BadStatusLine("nonsense")

    resource = made(_done)
    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    assert resource.call(resource.event()) == []
    assert len(tries) == 3


def test_one_that_cannot_be_given_raises_nothing(made: Made) -> None:
    """Lambda would report an error of a function that has done its work."""
    resource = made(_done)
    resource.losses = 100
    assert resource.call(resource.event()) == []
    assert resource.losses == 97


@pytest.mark.parametrize(
    ("request_type", "status", "taken_back"),
    [
        ("Update", "UPDATE_ROLLBACK_IN_PROGRESS", True),
        ("Update", "UPDATE_IN_PROGRESS", False),
        ("Update", None, False),
        ("Create", "ROLLBACK_IN_PROGRESS", False),
        ("Delete", "UPDATE_ROLLBACK_IN_PROGRESS", False),
    ],
)
def test_an_update_is_taken_back_when_the_stack_says_so(
    request_type: str, status: str | None, taken_back: bool, made: Made
) -> None:
    resource = made(_done)
    resource.stack_status = status
    assert cloudformation.is_taken_back(resource.event(request_type)) is taken_back


def test_a_cloudformation_that_is_not_reached_tells_nothing(made: Made) -> None:
    def unreachable(**_asked: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://cloudformation.us-east-1.amazonaws.com")

    resource = made(_done)
    resource.clients["cloudformation"] = SimpleNamespace(describe_stacks=unreachable)
    assert cloudformation.is_taken_back(resource.event("Update")) is False


def test_asking_it_takes_no_time_that_the_answer_needs(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = made(_done)
    limits: list[Any] = []

    def client(_service: str, config: Any) -> CustomResource:
        limits.append(config)
        return resource

    monkeypatch.setattr(boto3, "client", client)
    cloudformation.is_taken_back(resource.event("Update"))
    (limit,) = limits
    attempt = limit.connect_timeout + limit.read_timeout
    assert limit.retries["total_max_attempts"] * attempt < cloudformation.RESERVED_SECONDS


def test_the_deadline_leaves_time_for_the_answer(made: Made) -> None:
    clock = made(_done).clock
    context = Context(clock)
    clock.sleep(100)
    left = cloudformation.deadline(context) - clock.now
    assert left == LAMBDA_SECONDS - 100 - cloudformation.RESERVED_SECONDS
    # Three attempts of five seconds, and a second after each.
    assert cloudformation.RESERVED_SECONDS > 18


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_what_the_work_finds_is_told_beside_the_reason(request_type: str, made: Made) -> None:
    """Each time: CloudFormation forgets what an answer does not repeat."""
    resource = made(lambda event, context: cloudformation.Found("found", {"Arn": "a"}))
    assert resource.request(request_type) == ("SUCCESS", "found")
    assert resource.attributes == {"Arn": "a"}
