"""The function that says where a new multi-region access point leads."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gatehouse.functions.initial_routes import index
from tests.constructs.custom_resources import CustomResource, custom_resource

POINT = "arn:aws:s3::111111111111:accesspoint/abc.mrap"
PROPERTIES = {
    "AccountId": "111111111111",
    "AccessPoint": POINT,
    "Active": "us-east-1",
    "Passive": "eu-west-1",
}
OTHER = PROPERTIES | {"AccessPoint": "arn:aws:s3::111111111111:accesspoint/old.mrap"}


class Control:
    """S3's control of routes, after so many refusals."""

    def __init__(self, *refusals: str) -> None:
        self._refusals = list(refusals)
        self.submitted: list[dict[str, Any]] = []

    def submit_multi_region_access_point_routes(self, **submitted: Any) -> None:
        if self._refusals:
            raise ClientError({"Error": {"Code": self._refusals.pop(0), "Message": "no"}}, "Submit")
        self.submitted.append(submitted)


@pytest.fixture
def resource(monkeypatch: pytest.MonkeyPatch) -> Iterator[CustomResource]:
    with custom_resource(index, PROPERTIES, monkeypatch) as resource:
        resource.clients[f"s3control.{index.CONTROL_REGION}"] = Control()
        yield resource


def _submitted(resource: CustomResource) -> list[dict[str, Any]]:
    submitted: list[dict[str, Any]] = resource.clients[f"s3control.{index.CONTROL_REGION}"].submitted
    return submitted


def test_a_new_access_point_leads_to_the_active_region_alone(resource: CustomResource) -> None:
    assert resource.request() == ("SUCCESS", "requests go to us-east-1")
    assert _submitted(resource) == [
        {
            "AccountId": "111111111111",
            "Mrap": POINT,
            "RouteUpdates": [
                {"Region": "us-east-1", "TrafficDialPercentage": 100},
                {"Region": "eu-west-1", "TrafficDialPercentage": 0},
            ],
        }
    ]


def test_one_that_takes_another_s_place_does_too(resource: CustomResource) -> None:
    assert resource.request("Update", OldResourceProperties=OTHER).status == "SUCCESS"
    assert len(_submitted(resource)) == 1


def test_no_update_moves_what_a_recovery_has_moved(resource: CustomResource) -> None:
    changed = PROPERTIES | {"Active": "eu-west-1"}
    assert resource.request("Update", OldResourceProperties=changed).status == "SUCCESS"
    assert resource.request("Delete").status == "SUCCESS"
    assert _submitted(resource) == []


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchMultiRegionAccessPoint"])
def test_an_access_point_is_given_time_to_be_known(resource: CustomResource, code: str) -> None:
    resource.clients[f"s3control.{index.CONTROL_REGION}"] = Control(code, code)
    assert resource.request().status == "SUCCESS"
    assert len(_submitted(resource)) == 1
