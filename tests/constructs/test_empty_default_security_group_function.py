"""The function that empties a default security group: it takes every rule, and always answers."""

import io
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from gatehouse.functions.empty_default_security_group import index

GROUP = "sg-0123456789abcdef0"


def _event(request_type: str = "Create", **more: str) -> dict[str, Any]:
    return {
        "RequestType": request_type,
        "RequestId": "11111111-2222-3333-4444-555555555555",
        "ResponseURL": "https://cloudformation.example.com/answer",
        "StackId": "arn:aws:cloudformation:us-east-1:111111111111:stack/network/1",
        "LogicalResourceId": "Empty",
        "ResourceProperties": {"SecurityGroup": GROUP, "Ipv6": "false"},
        **more,
    }


class Ec2:
    """A security group as EC2 makes it; `refusals` come before anything is done."""

    def __init__(self, *, has_ipv6: bool = True, refusals: tuple[str, ...] = ()) -> None:
        self.rules = [("in", {"UserIdGroupPairs": [{"GroupId": GROUP}]})]
        self.rules += [("out", {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})]
        self.rules += [("out", {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]})] if has_ipv6 else []
        self.refusals = list(refusals)

    def revoke_security_group_ingress(self, **asked: Any) -> None:
        self._revoke("in", **asked)

    def revoke_security_group_egress(self, **asked: Any) -> None:
        self._revoke("out", **asked)

    def _revoke(self, direction: str, *, GroupId: str, IpPermissions: list[dict[str, Any]]) -> None:  # noqa: N803
        assert GroupId == GROUP
        if self.refusals:
            raise _refused(self.refusals.pop(0))
        (permission,) = IpPermissions
        assert permission.pop("IpProtocol") == "-1"
        if (direction, permission) not in self.rules:
            raise _refused("InvalidPermission.NotFound")
        self.rules.remove((direction, permission))


def _refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "RevokeSecurityGroupEgress")


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Ec2], None]:
    """Puts this in EC2's place."""
    return lambda ec2: monkeypatch.setattr(boto3, "client", {"ec2": ec2}.__getitem__)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time that passes only by sleeping: the naps that were taken."""
    naps: list[float] = []
    monkeypatch.setattr(index, "sleep", naps.append)
    monkeypatch.setattr(index, "monotonic", lambda: sum(naps))
    return naps


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


@pytest.mark.parametrize("has_ipv6", [False, True])
@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_no_rule_is_left(
    request_type: str, has_ipv6: bool, offer: Callable[[Ec2], None], answers: list[dict[str, Any]]
) -> None:
    ec2 = Ec2(has_ipv6=has_ipv6)
    offer(ec2)
    index.on_event(_event(request_type), None)
    assert ec2.rules == []
    assert [answer["Status"] for answer in answers] == ["SUCCESS"]


def test_a_second_time_finds_nothing_and_succeeds(
    offer: Callable[[Ec2], None], answers: list[dict[str, Any]]
) -> None:
    offer(Ec2())
    index.on_event(_event(), None)
    index.on_event(_event("Update", PhysicalResourceId="Empty"), None)
    assert [answer["Status"] for answer in answers] == ["SUCCESS", "SUCCESS"]
    assert {answer["PhysicalResourceId"] for answer in answers} == {"Empty"}


def test_removing_it_changes_no_rule(offer: Callable[[Ec2], None], answers: list[dict[str, Any]]) -> None:
    ec2 = Ec2()
    offer(ec2)
    index.on_event(_event("Delete", PhysicalResourceId="Empty"), None)
    assert len(ec2.rules) == 3
    assert [answer["Status"] for answer in answers] == ["SUCCESS"]


def test_permissions_may_come_a_little_later(
    offer: Callable[[Ec2], None], answers: list[dict[str, Any]]
) -> None:
    ec2 = Ec2(refusals=("UnauthorizedOperation", "UnauthorizedOperation"))
    offer(ec2)
    index.on_event(_event(), None)
    assert ec2.rules == []
    assert [answer["Status"] for answer in answers] == ["SUCCESS"]


def test_permissions_that_never_come_end_the_waiting(
    offer: Callable[[Ec2], None], answers: list[dict[str, Any]], clock: list[float]
) -> None:
    offer(Ec2(refusals=("UnauthorizedOperation",) * 100))
    index.on_event(_event(), None)
    assert sum(clock) <= index.PERMISSION_SECONDS + index.RETRY_SECONDS
    (answer,) = answers
    assert answer["Status"] == "FAILED"
    assert "UnauthorizedOperation" in answer["Reason"]


def test_a_refusal_that_will_not_pass_is_told_at_once(
    offer: Callable[[Ec2], None], answers: list[dict[str, Any]], clock: list[float]
) -> None:
    offer(Ec2(refusals=("InvalidGroup.NotFound",)))
    index.on_event(_event(), None)
    assert clock == []
    assert [answer["Status"] for answer in answers] == ["FAILED"]


def test_what_nobody_thought_of_is_answered_too(
    answers: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def client(service: str) -> Any:
        raise KeyError("x" * 5000)

    monkeypatch.setattr(boto3, "client", client)
    index.on_event(_event(), None)
    (answer,) = answers
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("KeyError: ")
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
