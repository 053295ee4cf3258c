"""What a drill must have: each of it can be missed."""

from dataclasses import replace
from typing import Any

import pytest

from local.drill.measured import misses
from tests.drills.figures import GOOD, NOTHING_LOST


def test_a_good_drill_misses_nothing() -> None:
    assert list(misses(GOOD)) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"errors": 2}, "2 requests got no answer within a minute of retries"),
        ({"answered_seconds": None}, "the standby answered no caller"),
        ({"recovery_seconds": 30.1}, "all was served 30.1 s after the decision, not 30"),
        ({"protection_seconds": None}, "the old region did not become the standby of the new one"),
        ({"keys_lost": 1}, "1 keys do not work afterwards"),
        (
            {"missing": replace(NOTHING_LOST, lost=1, oldest_lost_seconds=5.1)},
            "a row answered 5.1 s before the loss is lost, not 5",
        ),
        ({"missing": replace(NOTHING_LOST, doubled=1)}, "1 requests have more than one row"),
        ({"missing_finally": replace(NOTHING_LOST, doubled=1)}, "1 requests have more than one row"),
        (
            {"missing_finally": replace(NOTHING_LOST, lost_later=1)},
            "rows that were written down somewhere are not salvaged",
        ),
        (
            {"missing_finally": replace(NOTHING_LOST, lost=3, oldest_lost_seconds=0.2)},
            "3 rows are lost though no gateway was killed",
        ),
    ],
)
def test_what_is_missed_is_told(changes: dict[str, Any], told: str) -> None:
    assert list(misses(replace(GOOD, **changes))) == [told]


def test_rows_that_killed_gateways_held_may_be_lost() -> None:
    lost = replace(NOTHING_LOST, lost=3, oldest_lost_seconds=0.6)
    assert not list(misses(replace(GOOD, processes_were_killed=True, missing_finally=lost)))
    older = replace(lost, oldest_lost_seconds=2.1)
    assert list(misses(replace(GOOD, processes_were_killed=True, missing_finally=older)))
