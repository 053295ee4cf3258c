"""The periods of calendar windows, in UTC; windows.lua computes the same."""

from datetime import UTC, datetime
from typing import NamedTuple

from gateway.limits import Window

_DAY_SECONDS = 86_400


class Period(NamedTuple):
    """ends: in Unix time; None if it does not."""

    number: int
    ends: int | None


def period_of(kind: Window, second: int) -> Period:
    """The day, week (from Monday), month or total in which a Unix second lies."""
    day = second // _DAY_SECONDS
    if kind == "day":
        return Period(day, (day + 1) * _DAY_SECONDS)
    if kind == "week":
        # The first day, a Thursday, is in the week of the Monday before.
        week = (day + 3) // 7
        return Period(week, ((week + 1) * 7 - 3) * _DAY_SECONDS)
    if kind == "month":
        date = datetime.fromtimestamp(second, UTC)
        months = date.year * 12 + date.month
        return Period(months, int(datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC).timestamp()))
    return Period(0, None)
