"""What people write and read: limits, moments, spans of time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# The fields of gateway.limits.Limits, which would load slowly; a test compares them.
LIMIT_NAMES = (
    "requests_per_minute",
    "requests_per_hour",
    "requests_per_day",
    "tokens_per_minute",
    "tokens_per_hour",
    "tokens_per_day",
    "tokens_per_week",
    "tokens_per_month",
    "usd_per_day",
    "usd_per_week",
    "usd_per_month",
    "usd_total",
)
# gateway.ledger.dimensions.DIMENSIONS; a test compares them.
DIMENSIONS = (
    "project",
    "caller",
    "model",
    "model_served",
    "deployment",
    "provider",
    "account",
    "region",
    "operation",
)
_MULTIPLES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_AMOUNT = re.compile(r"(\d[\d_,]*(?:\.\d+)?)([kmg]?)", re.IGNORECASE)
_SPAN = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class LimitType(click.ParamType[Any]):
    """NAME=AMOUNT, such as tokens_per_day=1_000_000, 1M or usd_per_month=200."""

    name = "limit"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int | float]:
        """Read it; the gateway knows which amounts are allowed."""
        if isinstance(value, tuple):
            return value
        name, separator, text = str(value).partition("=")
        amount = _AMOUNT.fullmatch(text.strip())
        if name not in LIMIT_NAMES:
            self.fail(f"{name!r} is no limit; allowed: {', '.join(LIMIT_NAMES)}", param, ctx)
        if not separator or amount is None:
            self.fail(f"{value!r} needs an amount: {name}=1000, 1_000_000, 50k or 1M", param, ctx)
        digits = float(amount[1].replace("_", "").replace(",", "")) * _MULTIPLES[amount[2].lower()]
        if name.startswith("usd_"):
            return name, digits
        if digits != int(digits):
            self.fail(f"{name} has to be a whole number, not {text}", param, ctx)
        return name, int(digits)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 (click passes it)
        param: click.Parameter,  # noqa: ARG002 (click passes it)
        incomplete: str,
    ) -> list[CompletionItem]:
        """The names of limits, up to the equals sign."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(f"{name}=") for name in LIMIT_NAMES if name.startswith(incomplete)]


class SpanType(click.ParamType[Any]):
    """A span of time such as 90s, 15m, 24h, 7d or 2w, as seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        if isinstance(value, int):
            return value
        found = _SPAN.fullmatch(str(value).strip())
        if found is None:
            if str(value).strip() == "0":
                return 0
            self.fail(f"{value!r} is no span of time; allowed: 90s, 15m, 24h, 7d, 2w", param, ctx)
        return int(found[1]) * _SECONDS[found[2]]


class MomentType(click.ParamType[Any]):
    """A moment in UTC, as RFC 3339: a span before now (or after it), a day, a time, or a word."""

    name = "moment"

    def __init__(self, *, future: bool = False) -> None:
        self._future = future

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read it."""
        try:
            return written(moment(str(value).strip(), datetime.now(UTC), future=self._future))
        except (ValueError, OverflowError):
            words = "never" if self._future else "today, yesterday, month"
            allowed = f"7d, 24h, 2026-11-01, 2026-11-01T09:30:00Z, {words}"
            self.fail(f"{value!r} is no moment; allowed: {allowed}", param, ctx)


def moment(text: str, now: datetime, *, future: bool = False) -> datetime:
    """The moment that a text means; days and words are of UTC; raises ValueError, OverflowError."""
    midnight = datetime.combine(now.date(), time(), UTC)
    words = {
        "now": now,
        "today": midnight,
        "yesterday": midnight - timedelta(days=1),
        "month": midnight.replace(day=1),
    }
    if text in words:
        return words[text]
    if span := _SPAN.fullmatch(text):
        seconds = timedelta(seconds=int(span[1]) * _SECONDS[span[2]])
        return now + seconds if future else now - seconds
    if len(text) == len("2026-11-01"):
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def written(at: datetime) -> str:
    """A moment as RFC 3339 in UTC, to the second."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def shown_time(text: str | None, *, seconds: bool = False) -> str:
    """An RFC 3339 time for people: UTC, to the minute, or without the year to the second."""
    if not text:
        return "-"
    shape = "%m-%d %H:%M:%SZ" if seconds else "%Y-%m-%d %H:%MZ"
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime(shape)
    except ValueError:
        return text


def shown_span(seconds: float | None) -> str:
    """A span of time by its two largest units."""
    if seconds is None:
        return "-"
    rest = max(0, round(seconds))
    words = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count}{unit}")
    return " ".join(words[:2]) or "0s"


def shown_amount(name: str, value: float) -> str:
    """An amount of a limit or of what is used of it."""
    return shown_usd(value) if name.startswith("usd") else shown_count(value)


def shown_count(count: float) -> str:
    """A number in at most six characters: 940, 12.3k, 4.56M."""
    for size, letter in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**4, "k")):
        if count >= size:
            scaled = count / (10**3 if letter == "k" else size)
            digits = f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f}"
            return (digits.rstrip("0").rstrip(".") if "." in digits else digits) + letter
    return f"{count:,.0f}"


def shown_usd(usd: float | None) -> str:
    """An amount of money: to the cent, or to its first digits where it is less than a few cents."""
    if usd is None:
        return "-"
    return f"{usd:,.2f}" if usd >= 0.1 or usd == 0 else f"{usd:.6f}".rstrip("0")


def shown_seconds(seconds: float | None) -> str:
    """How long something took."""
    return "-" if seconds is None else f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def limit_words(name: str) -> str:
    """The name of a limit as people say it: 'tokens per day', 'USD in total'."""
    unit, _, window = name.partition("_")
    span = "in total" if window == "total" else window.replace("_", " ")
    return f"{'USD' if unit == 'usd' else unit} {span}"


def shown_limits(limits: Mapping[str, Any] | None) -> str:
    """Limits in one cell, a line each; empty if there are none."""
    lines = [
        f"{shown_amount(name, value)} {limit_words(name)}"
        for name, value in (limits or {}).items()
        if value is not None
    ]
    return "\n".join(lines)


def all_limits(thing: Mapping[str, Any]) -> str:
    """The limits of a project, key or role, those of a role on single models too, a line each."""
    lines = [shown_limits(thing.get("limits"))]
    for model, limits in (thing.get("model_limits") or {}).items():
        name = "each model" if model == "*" else model
        lines += [f"{line} of {name}" for line in shown_limits(limits).splitlines()]
    return "\n".join(filter(None, lines))


def shown_list(items: Iterable[object] | None, *, none: str = "all") -> str:
    """A list in one cell; None is `none`."""
    return none if items is None else ", ".join(map(str, items)) or "none"


LIMIT = LimitType()
SPAN = SpanType()
