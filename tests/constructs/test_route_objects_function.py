"""The function that routes a multi-region access point: to this region, wherever it can say so."""

import json
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from gatehouse.functions.route_objects import index
from gatehouse.functions.waiting import NotYetError
from tests.constructs.step_functions import REGION, Step

ACCESS_POINT = "arn:aws:s3::111111111111:accesspoint/example.mrap"
LOST = "us-east-1"


class Control:
    """S3's control of routes in one region; of a lost one there is no answer."""

    def __init__(self, region: str, log: list[str], *, lost: bool = False) -> None:
        self._region, self._log, self._lost = region, log, lost
        self._routes: list[dict[str, Any]] = []

    def submit_multi_region_access_point_routes(self, **asked: Any) -> None:
        self._log.append(self._region)
        if self._lost:
            raise ConnectTimeoutError(endpoint_url=self._region)
        assert (asked["AccountId"], asked["Mrap"]) == ("111111111111", ACCESS_POINT)
        self._routes = asked["RouteUpdates"]

    def get_multi_region_access_point_routes(self, **asked: Any) -> Any:
        assert (asked["AccountId"], asked["Mrap"]) == ("111111111111", ACCESS_POINT)
        return {"Mrap": ACCESS_POINT, "Routes": self._routes}


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Step:
    buckets = {LOST: "objects-1", REGION: "objects-2"}
    variables = {"ACCOUNT": "111111111111", "ACCESS_POINT": ACCESS_POINT, "BUCKETS": json.dumps(buckets)}
    return Step(index, variables, monkeypatch)


def _let_answer(step: Step, *regions: str) -> list[str]:
    log: list[str] = []
    step.clients = {
        f"s3control {region}": Control(region, log, lost=region not in regions)
        for region in index.ROUTING_REGIONS
    }
    return log


def test_all_goes_to_the_bucket_of_this_region(step: Step) -> None:
    log = _let_answer(step, *index.ROUTING_REGIONS)
    assert step.run() == {LOST: 0, REGION: 100}
    assert log == [REGION]


def test_the_region_that_may_be_lost_is_asked_last(step: Step) -> None:
    log = _let_answer(step, "eu-west-1", LOST)
    assert step.run() == {LOST: 0, REGION: 100}
    assert log[0] == REGION
    assert log[-1] == "eu-west-1"
    assert LOST not in log


def test_that_none_of_them_answers_is_a_failure(step: Step) -> None:
    log = _let_answer(step)
    with pytest.raises(NotYetError, match="ap-northeast-1"):
        step.run()
    assert sorted(log) == sorted(index.ROUTING_REGIONS)
    assert log[-1] == LOST
