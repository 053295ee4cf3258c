"""What a caller may use: amounts of requests, tokens and money in windows of time.

The words of a limit's name are its unit and its window, such as `tokens_per_day`. Minutes and hours roll: a
limit holds in any 60 seconds or minutes. Longer windows are calendar windows in UTC, weeks begin on Monday.
"""

from collections.abc import Iterable
from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import Field

from gateway.catalog.names import Frozen

Unit = Literal["requests", "tokens", "usd"]
Window = Literal["minute", "hour", "day", "week", "month", "total"]

# Amounts of money are whole numbers of these: sums are exact, in Python, in the cache and in the database.
NANO_USD = 1_000_000_000

ROLLING: frozenset[Window] = frozenset({"minute", "hour"})

_Requests = Annotated[int | None, Field(ge=1, le=10**12)]
_Tokens = Annotated[int | None, Field(ge=1, le=10**15)]
_Usd = Annotated[float | None, Field(ge=0.000001, le=1_000_000, allow_inf_nan=False)]


class Limits(Frozen):
    """What is allowed in each window; None is no limit."""

    requests_per_minute: _Requests = None
    requests_per_hour: _Requests = None
    requests_per_day: _Requests = None
    tokens_per_minute: _Tokens = None
    tokens_per_hour: _Tokens = None
    tokens_per_day: _Tokens = None
    tokens_per_week: _Tokens = None
    tokens_per_month: _Tokens = None
    usd_per_day: _Usd = None
    usd_per_week: _Usd = None
    usd_per_month: _Usd = None
    usd_total: _Usd = None


class Dimension(NamedTuple):
    """What the name of a limit means."""

    unit: Unit
    window: Window


def dimension(name: str) -> Dimension:
    """The unit and the window of a limit, by its name in Limits."""
    unit, _, rest = name.partition("_")
    window = rest.removeprefix("per_")
    assert unit in get_args(Unit), name  # noqa: S101 (names are those of Limits)
    assert window in get_args(Window), name  # noqa: S101 (the same)
    return Dimension(unit, window)  # type: ignore[arg-type] # both were just looked at


DIMENSIONS: dict[str, Dimension] = {name: dimension(name) for name in Limits.model_fields}
UNLIMITED = Limits()


def amount(limits: Limits, name: str) -> int | None:
    """A limit as a whole number, in nano-USD if it is one of money; None if there is none."""
    value = getattr(limits, name)
    if value is None:
        return None
    return round(value * NANO_USD) if DIMENSIONS[name].unit == "usd" else int(value)


def most_generous(several: Iterable[Limits]) -> Limits:
    """For each name the highest of several limits; no limit is higher than any."""
    several = list(several)
    if not several:
        return UNLIMITED
    highest = {}
    for name in Limits.model_fields:
        values = [getattr(each, name) for each in several]
        highest[name] = None if None in values else max(values)
    return Limits(**highest)


def strictest(several: Iterable[Limits]) -> Limits:
    """For each name the lowest of several limits."""
    lowest = {}
    several = list(several)
    for name in Limits.model_fields:
        values = [value for each in several if (value := getattr(each, name)) is not None]
        lowest[name] = min(values, default=None)
    return Limits(**lowest)
