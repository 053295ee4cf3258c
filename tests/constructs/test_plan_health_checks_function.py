"""The function that finds a plan's health checks: which is which region's, once they are there."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gatehouse.functions.plan_health_checks import index
from tests.constructs.custom_resources import LAMBDA_SECONDS, CustomResource, custom_resource

PLAN = "arn:aws:arc-region-switch::111111111111:plan/gatehouse-prod:abc123"
PROPERTIES = {
    "Plan": PLAN,
    "HostedZoneId": "Z1",
    "RecordName": "api.example.com",
    "Regions": ["us-east-1", "us-west-2"],
}


def _check(region: str, health_check: str | None) -> dict[str, str]:
    check = {"hostedZoneId": "Z1", "recordName": "api.example.com", "region": region}
    return check | ({"healthCheckId": health_check} if health_check else {})


class RegionSwitch:
    """Answers with these pages, one list of checks each; of several answers the last again and again."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    def get_paginator(self, operation: str) -> "RegionSwitch":
        assert operation == "list_route53_health_checks_in_region"
        return self

    def paginate(self, **asked: Any) -> Any:
        assert asked == {"arn": PLAN, "hostedZoneId": "Z1", "recordName": "api.example.com"}
        return self

    def __iter__(self) -> Iterator[dict[str, Any]]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return iter([{"healthChecks": page} for page in answer])


@pytest.fixture
def resource(monkeypatch: pytest.MonkeyPatch) -> Iterator[CustomResource]:
    with custom_resource(index, PROPERTIES, monkeypatch) as resource:
        yield resource


def test_each_region_gets_its_own_in_whichever_order_they_come(resource: CustomResource) -> None:
    pages = [[_check("us-west-2", "second")], [_check("us-east-1", "first")]]
    resource.clients["arc-region-switch"] = RegionSwitch(pages)
    assert resource.request().status == "SUCCESS"
    assert resource.attributes == {"useast1": "first", "uswest2": "second"}


def test_they_are_waited_for(resource: CustomResource) -> None:
    refused = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not yet"}}, "List")
    half = [_check("us-east-1", "first"), _check("us-west-2", None)]
    whole = [_check("us-east-1", "first"), _check("us-west-2", "second")]
    resource.clients["arc-region-switch"] = RegionSwitch(refused, [[]], [half], [whole])
    assert resource.request().status == "SUCCESS"
    assert resource.attributes["uswest2"] == "second"


def test_one_that_never_comes_is_named(resource: CustomResource) -> None:
    resource.clients["arc-region-switch"] = RegionSwitch([[_check("us-east-1", "first")]])
    began = resource.clock.now
    assert resource.request() == ("FAILED", "MissingError: no health check yet: us-west-2")
    assert resource.clock.now - began < LAMBDA_SECONDS


def test_nothing_is_asked_when_the_plan_goes(resource: CustomResource) -> None:
    assert resource.request("Delete").status == "SUCCESS"
