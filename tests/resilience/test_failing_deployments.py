"""Deployments, accounts and regions that fail: callers notice nothing while another one can answer."""

from collections.abc import Callable
from typing import Any

import openai
import pytest

from local.bedrock_simulator.control import Control
from local.bedrock_simulator.faults import Error, Fault, Garbage, RegionDown, SlowFirstByte
from local.callers import Callers
from local.fleet import Fleet

ALL_REGIONS_OF_CHAT = ("us-east-1", "us-west-2", "eu-west-1")
Own = Callable[[str], str]
HELLO: Any = [{"role": "user", "content": "Hello!"}]


def calls_in(faults: Control, region: str) -> int:
    return sum(call.region == region and call.operation.startswith("Converse") for call in faults.calls())


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "fault",
    [
        RegionDown(region="us-east-1"),
        Error(error="InternalServerException", region="us-east-1"),
        Error(error="ServiceUnavailableException", region="us-east-1"),
        Error(error="ThrottlingException", region="us-east-1"),
        Error(error="ExpiredTokenException", region="us-east-1"),
        Garbage(region="us-east-1"),
        SlowFirstByte(region="us-east-1", seconds=20),
    ],
    ids=lambda fault: str(getattr(fault, "error", fault.kind)),
)
def test_one_deployment_fails_and_another_answers(
    callers: Callers, faults: Control, own: Own, fault: Fault, stream: bool
) -> None:
    assert callers.ask(8, stream=stream).failed == 0

    number = faults.add_fault(fault)
    during = callers.ask(16, stream=stream)
    assert during.failed == 0
    assert own("east") not in during.deployments
    tried = calls_in(faults, "us-east-1")

    # It cools now, in both processes: next to nobody is sent there again.
    again = callers.ask(8, stream=stream)
    assert again.failed == 0
    assert calls_in(faults, "us-east-1") - tried <= 2

    faults.clear_faults(number)
    assert callers.ask(4, stream=stream).failed == 0


def test_a_deployment_that_recovers_is_used_again(
    callers: Callers, faults: Control, own: Own, wait_until: Callable[..., None]
) -> None:
    number = faults.add_fault(Error(error="InternalServerException", region="us-east-1"))
    assert callers.ask(8).deployments.keys() == {own("west")}
    faults.clear_faults(number)
    # Two seconds after the first failure, four after a second one.
    wait_until(lambda: own("east") in callers.ask(2).deployments, 15)
    assert own("east") in callers.ask(16).deployments


def test_what_one_process_saw_fail_the_other_leaves_alone(
    running: Fleet, callers: Callers, faults: Control, own: Own, wait_until: Callable[..., None]
) -> None:
    first, second = (callers.client(gateway) for gateway in running.gateways)
    faults.add_fault(Error(error="ThrottlingException", region="us-east-1", retry_after_seconds=60))
    wait_until(
        lambda: (
            bool(first.chat.completions.create(model=own("chat"), messages=HELLO))
            and calls_in(faults, "us-east-1") > 0
        )
    )
    tried = calls_in(faults, "us-east-1")
    for _ in range(20):
        second.chat.completions.create(model=own("chat"), messages=HELLO)
    assert calls_in(faults, "us-east-1") == tried


def test_the_next_tier_answers_when_all_of_the_first_fail(
    callers: Callers, faults: Control, own: Own
) -> None:
    for region in ("us-east-1", "us-west-2"):
        faults.add_fault(RegionDown(region=region))
    during = callers.ask(12)
    assert (during.failed, set(during.deployments)) == (0, {own("spare")})


def test_a_throttled_account_leaves_the_work_to_another(callers: Callers, faults: Control, own: Own) -> None:
    """The first tier's account is throttled everywhere; the spare deployment is in an account of its own."""
    faults.add_fault(
        Error(error="ThrottlingException", account="111111111111", model="amazon.nova-lite-v1:0")
    )
    during = callers.ask(12)
    assert (during.failed, set(during.deployments)) == (0, {own("spare")})


def test_another_model_answers_when_all_deployments_fail(callers: Callers, faults: Control, own: Own) -> None:
    for region in ALL_REGIONS_OF_CHAT:
        faults.add_fault(RegionDown(region=region))
    during = callers.ask(12)
    assert (during.failed, set(during.deployments)) == (0, {own("last-resort")})


def test_a_host_name_that_does_not_resolve_is_one_more_failing_deployment(callers: Callers, own: Own) -> None:
    during = callers.ask(8, model=own("half-resolvable"))
    assert (during.failed, set(during.deployments)) == (0, {own("somewhere")})


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Error(error="InternalServerException"), 502, "upstream_error"),
        (Error(error="ThrottlingException", retry_after_seconds=7), 429, "rate_limit_exceeded"),
        (Error(error="ExpiredTokenException"), 502, "upstream_credentials"),
    ],
    ids=["failing", "throttled", "expired"],
)
def test_when_nothing_can_answer_the_caller_is_told_why(
    running: Fleet, callers: Callers, faults: Control, own: Own, fault: Fault, status: int, code: str
) -> None:
    faults.add_fault(fault)
    with pytest.raises(openai.APIStatusError) as caught:
        callers.client(running.gateways[0]).chat.completions.create(model=own("chat"), messages=HELLO)
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert 2 <= int(caught.value.response.headers["x-gatehouse-attempts"]) <= 5
    if status == 429:
        assert 1 <= int(caught.value.response.headers["retry-after"]) <= 7
