"""What the names of limits mean, and how several limits become one."""

import pytest
from pydantic import ValidationError

from gateway.limits import DIMENSIONS, UNLIMITED, Limits, amount, most_generous, strictest


def test_every_name_has_a_unit_and_a_window() -> None:
    assert DIMENSIONS["requests_per_minute"] == ("requests", "minute")
    assert DIMENSIONS["tokens_per_week"] == ("tokens", "week")
    assert DIMENSIONS["usd_total"] == ("usd", "total")
    assert set(DIMENSIONS) == set(Limits.model_fields)


def test_money_is_counted_in_whole_billionths() -> None:
    limits = Limits(usd_per_day=0.1, usd_total=0.000001, tokens_per_day=7)
    assert amount(limits, "usd_per_day") == 100_000_000
    assert amount(limits, "usd_total") == 1_000
    assert amount(limits, "tokens_per_day") == 7
    assert amount(limits, "usd_per_month") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"requests_per_minute": 0},
        {"tokens_per_day": -1},
        {"usd_per_day": 0},
        {"usd_per_day": float("nan")},
        {"usd_per_day": float("inf")},
        {"usd_per_day": 1_000_001},
        {"requests_per_fortnight": 1},
    ],
)
def test_what_cannot_be_a_limit_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Limits.model_validate(wrong)


def test_the_most_generous_role_decides_each_limit_by_itself() -> None:
    one = Limits(requests_per_minute=10, tokens_per_day=500, usd_per_day=1)
    other = Limits(requests_per_minute=3, tokens_per_day=900)
    assert most_generous([one, other]) == Limits(requests_per_minute=10, tokens_per_day=900)
    assert most_generous([one, UNLIMITED]) == UNLIMITED
    assert most_generous([one]) == one
    assert most_generous([]) == UNLIMITED


def test_the_strictest_of_what_holds_together_decides() -> None:
    own = Limits(requests_per_minute=10, usd_total=5)
    of_roles = Limits(requests_per_minute=20, tokens_per_hour=7)
    assert strictest([own, of_roles]) == Limits(requests_per_minute=10, usd_total=5, tokens_per_hour=7)
