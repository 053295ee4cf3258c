"""When a provider says it may be asked again."""

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_LONGEST_SECONDS = 24 * 60 * 60
# Go's way to write a duration, as in 6m0s, 1.5s or 20ms.
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_KINDS = ("requests", "tokens")


def retry_after_seconds(headers: Mapping[str, str]) -> int | None:
    """Seconds to wait by a response's headers, rounded up; None if they do not say, or nothing sensible.

    Understands retry-after-ms, retry-after in seconds or as a date, and x-ratelimit-reset.
    """
    seconds = _in_milliseconds(headers.get("retry-after-ms"))
    if seconds is None:
        seconds = _as_retry_after(headers.get("retry-after"))
    if seconds is None:
        seconds = _by_rate_limits(headers)
    if seconds is None or not seconds <= _LONGEST_SECONDS:
        return None
    return max(0, math.ceil(seconds))


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _in_milliseconds(text: str | None) -> float | None:
    number = _number(text)
    return None if number is None else number / 1000


def _as_retry_after(text: str | None) -> float | None:
    if not text or (number := _number(text)) is not None:
        return number if text else None
    try:
        return parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None


def _by_rate_limits(headers: Mapping[str, str]) -> float | None:
    """The longest wait among the limits that are used up, or until the one limit that a provider tells of."""
    waits = [
        _until_reset(headers.get(f"x-ratelimit-reset-{kind}"))
        for kind in _KINDS
        if headers.get(f"x-ratelimit-remaining-{kind}", "").strip() == "0"
    ]
    told = [wait for wait in waits if wait is not None]
    return max(told) if told else _until_reset(headers.get("x-ratelimit-reset"))


def _until_reset(text: str | None) -> float | None:
    """Seconds until a reset that is given as a duration, in seconds, or as a time in seconds since 1970."""
    if text is None:
        return None
    number = _number(text)
    if number is not None:
        now = time.time()
        return number - now if number > now / 2 else number
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(map("".join, parts)) != text.strip():
        return None
    return sum(float(amount) * _UNIT_SECONDS[unit] for amount, unit in parts)
