"""The function that empties a default security group: it takes every rule, and waits for its permissions."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gatehouse.functions.empty_default_security_group import index
from gatehouse.functions.patience import RETRY_SECONDS
from tests.constructs.custom_resources import CustomResource, custom_resource

GROUP = "sg-0123456789abcdef0"


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
def resource(monkeypatch: pytest.MonkeyPatch) -> Iterator[CustomResource]:
    with custom_resource(index, {"SecurityGroup": GROUP, "Ipv6": "false"}, monkeypatch) as resource:
        resource.clients["ec2"] = Ec2()
        yield resource


@pytest.mark.parametrize("has_ipv6", [False, True])
@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_no_rule_is_left(request_type: str, has_ipv6: bool, resource: CustomResource) -> None:
    resource.clients["ec2"] = ec2 = Ec2(has_ipv6=has_ipv6)
    assert resource.request(request_type).status == "SUCCESS"
    assert ec2.rules == []


def test_a_second_time_finds_nothing_and_succeeds(resource: CustomResource) -> None:
    assert resource.request().status == "SUCCESS"
    assert resource.request("Update").status == "SUCCESS"


def test_removing_it_changes_no_rule(resource: CustomResource) -> None:
    assert resource.request("Delete").status == "SUCCESS"
    assert len(resource.clients["ec2"].rules) == 3


def test_permissions_may_come_a_little_later(resource: CustomResource) -> None:
    resource.clients["ec2"] = ec2 = Ec2(refusals=("UnauthorizedOperation", "UnauthorizedOperation"))
    assert resource.request().status == "SUCCESS"
    assert ec2.rules == []


def test_permissions_that_never_come_end_the_waiting(resource: CustomResource) -> None:
    began = resource.clock.now
    resource.clients["ec2"] = Ec2(refusals=("UnauthorizedOperation",) * 100)
    status, reason = resource.request()
    assert (status, "UnauthorizedOperation" in reason) == ("FAILED", True)
    assert resource.clock.now - began <= index.PERMISSION_SECONDS + RETRY_SECONDS


def test_a_refusal_that_will_not_pass_is_told_at_once(resource: CustomResource) -> None:
    began = resource.clock.now
    resource.clients["ec2"] = Ec2(refusals=("InvalidGroup.NotFound",))
    assert resource.request().status == "FAILED"
    assert resource.clock.now == began
