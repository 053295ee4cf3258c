"""The function that waits until a replica has everything: what counts as having it."""

import datetime
from typing import Any

import pytest

from gatehouse.functions.await_replica import index
from gatehouse.functions.waiting import NotYetError
from tests.constructs.step_functions import Step

SOURCE_REGION = "us-east-1"


class CloudWatch:
    """Has for one metric: values by how many seconds after the step's begin their minute begins."""

    def __init__(self, metric: str, values: dict[float, float] | None = None) -> None:
        self._metric = metric
        now = datetime.datetime.now(datetime.UTC)
        self._points = [
            {"Timestamp": now + datetime.timedelta(seconds=after), "Maximum": value}
            for after, value in (values or {}).items()
        ]
        self.asked = 0

    def get_metric_statistics(self, **asked: Any) -> Any:
        self.asked += 1
        assert asked["Namespace"] == "AWS/RDS"
        assert asked["MetricName"] == self._metric
        assert asked["Dimensions"] == [{"Name": "DBInstanceIdentifier", "Value": "gatehouse-prod"}]
        assert asked["Statistics"] == ["Maximum"]
        assert asked["Period"] == 60
        return {"Datapoints": self._points}


def _step(
    monkeypatch: pytest.MonkeyPatch,
    missing: dict[float, float] | None = None,
    lags: dict[float, float] | None = None,
) -> Step:
    step = Step(index, {"DATABASE": "gatehouse-prod", "SOURCE_REGION": SOURCE_REGION}, monkeypatch)
    step.clients |= {
        f"cloudwatch {SOURCE_REGION}": CloudWatch("OldestReplicationSlotLag", missing),
        "cloudwatch": CloudWatch("ReplicaLag", lags),
    }
    return step


def test_nothing_is_missing_in_a_minute_after_the_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _step(monkeypatch, missing={-60: 4096, 60: 0}).run() == {"replica": "has everything"}


def test_what_was_so_before_the_begin_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written in between may still be on its way."""
    with pytest.raises(NotYetError, match=r"\(bytes\): 0; seconds that it is behind: unknown"):
        _step(monkeypatch, missing={-60: 0}).run()


def test_a_transaction_from_after_the_begin_was_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _step(monkeypatch, missing={120: 512}, lags={120: 90}).run()


@pytest.mark.parametrize("lags", [{60: 61.0}, {-60: 0.0}, {120: 300.0}, {300: -1.0}])
def test_one_from_before_it_does_not_count(monkeypatch: pytest.MonkeyPatch, lags: dict[float, float]) -> None:
    """-1 is how RDS says that nothing is replicated at all."""
    with pytest.raises(NotYetError, match=r"\(bytes\): 512; seconds that it is behind:"):
        _step(monkeypatch, missing={60: 512}, lags=lags).run()


def test_it_looks_again_and_again_while_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    step = _step(monkeypatch)
    with pytest.raises(NotYetError, match="unknown"):
        step.run()
    assert step.clients["cloudwatch"].asked > 100
