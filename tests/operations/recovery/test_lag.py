"""How far a replica is behind, by what CloudWatch has measured."""

import datetime
from collections.abc import Sequence
from typing import Any, cast

import pytest

from operations.recovery.lag import lag_of, replica_lag
from operations.recovery.places import places
from operations.recovery.reach import Aws
from tests.operations.recovery.world import STANDBY


def _points(*lags: float) -> list[tuple[float, float]]:
    """A measurement each minute."""
    return [(60.0 * minute, lag) for minute, lag in enumerate(lags)]


@pytest.mark.parametrize(
    ("lags", "following", "stands_still"),
    [
        ((1.0, 2.0, 1.5), 1.5, False),
        # Its source was lost after the second minute.
        ((1.0, 2.0, 62.0, 122.0), 2.0, False),
        # Where nobody writes, the lag grows until RDS itself writes something.
        ((0.0, 60.0, 120.0, 180.0, 240.0, 1.0), 1.0, False),
        # It never received anything while it was looked at.
        ((400.0, 460.0, 520.0), 400.0, True),
        # It catches up.
        ((900.0, 600.0, 300.0), 300.0, False),
    ],
)
def test_the_lag_counts_as_it_was_while_the_replica_received_something(
    lags: Sequence[float], following: float, stands_still: bool
) -> None:
    lag = lag_of(_points(*lags))
    assert lag is not None
    assert (lag.seconds, lag.following_seconds, lag.stands_still) == (lags[-1], following, stands_still)
    assert lag.replayed_until == 60.0 * (len(lags) - 1) - lags[-1]


class _CloudWatch:
    """Measures a replica that followed within 2 s until its source was lost, 90 minutes ago."""

    def client(self, _service: str, _region: str) -> Any:
        return self

    def get_metric_data(self, **asked: Any) -> dict[str, Any]:
        lost = asked["EndTime"] - datetime.timedelta(minutes=90)
        moments = [lost + datetime.timedelta(minutes=minute) for minute in range(-30, 91)]
        seen = [moment for moment in moments if moment >= asked["StartTime"]]
        lags = [max((moment - lost).total_seconds(), 0) + 2 for moment in seen]
        return {"MetricDataResults": [{"Timestamps": seen, "Values": lags}]}


def test_the_lag_before_a_loss_is_known_long_after_it() -> None:
    lag = replica_lag(cast("Aws", _CloudWatch()), places("prod"), STANDBY)
    assert lag is not None
    assert (lag.seconds, lag.following_seconds) == (5402, 2)


def test_without_measurements_there_is_no_lag() -> None:
    assert lag_of([]) is None
