"""Durations and moments as people read them."""

import datetime

_MINUTE, _HOUR = 60, 3600


def duration(seconds: float | None) -> str:
    """Such as '4.2 s', '12 min 5 s' or '2 h 10 min'; a dash for None."""
    if seconds is None:
        return "–"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s" if round(seconds, 1) % 1 else f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return _of_two(whole // _MINUTE, "min", whole % _MINUTE, "s")
    return _of_two(whole // _HOUR, "h", whole % _HOUR // _MINUTE, "min")


def moment(seconds: float) -> str:
    """Such as '2026-11-21 21:58:03 UTC'."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def compact(seconds: float) -> str:
    """A moment in names: '20261121T215803Z'."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y%m%dT%H%M%SZ")


def _of_two(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large} {unit} {small} {small_unit}" if small else f"{large} {unit}"
