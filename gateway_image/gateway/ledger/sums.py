"""What subjects have used in the calendar windows of limits: from this, lost counters are rebuilt."""

from collections.abc import Mapping

from gateway.callers import Subject
from gateway.database import Database
from gateway.database.replica import read
from gateway.limits import DIMENSIONS, ROLLING

_SECONDS = 5
# The kinds of tokens are disjoint, but for reasoning, which is a part of the output.
_TOKENS = "input_tokens + output_tokens + cache_read_tokens + cache_write_tokens"
_UNITS = {"requests": "requests", "tokens": _TOKENS, "usd": "cost_nano_usd"}
# Days and weeks are summed from hours; months, of which there may be years, from months.
_HOURLY_WINDOWS = {"day", "week"}
_NAMES = [name for name, dimension in DIMENSIONS.items() if dimension.window not in ROLLING]


def _sum(name: str) -> str:
    """A limit's use, as SQL over hours or months."""
    unit, window = DIMENSIONS[name]
    amount = f"sum({_UNITS[unit]})"
    if window in _HOURLY_WINDOWS:
        amount += f" FILTER (WHERE hour >= {window} AND hour < {window} + interval '1 {window}')"
    elif window != "total":
        amount += f" FILTER (WHERE month = {window}_begins)"
    return f"coalesce({amount}, 0)::bigint AS {name}"


def _statement(column: str, *, of_one_model: bool) -> str:
    whose = f"{column} = $2" + (" AND model = $3" if of_one_model else "")
    hourly = ", ".join(_sum(name) for name in _NAMES if DIMENSIONS[name].window in _HOURLY_WINDOWS)
    monthly = ", ".join(_sum(name) for name in _NAMES if DIMENSIONS[name].window not in _HOURLY_WINDOWS)
    # All names are this module's own.
    return f"""
        WITH windows AS (
            SELECT date_trunc('day', at, 'UTC') AS day,
                date_trunc('week', at, 'UTC') AS week,
                date_trunc('month', at, 'UTC') AS month_begins
            FROM to_timestamp($1::bigint) AS at
        ), hours AS (
            SELECT {hourly} FROM windows, usage_hourly
            WHERE {whose} AND hour >= week AND hour < week + interval '1 week'
        ), months AS (
            SELECT {monthly} FROM windows, usage_monthly WHERE {whose}
        )
        SELECT {", ".join(_NAMES)} FROM hours, months"""  # noqa: S608 (names of ours)


_STATEMENTS = {
    (kind, of_one_model): _statement(f"{kind}_id", of_one_model=of_one_model)
    for kind in ("caller", "project")
    for of_one_model in (False, True)
}


class UsageSums:
    """Reads sums of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def used(self, subject: Subject, at: int) -> Mapping[str, int]:
        """What the ledger holds of a subject, by names of Limits.

        For each day, week, month and total, in UTC, that Unix second `at` is in; amounts of money are in
        nano-USD. Rolling windows are not there, nor are rows that wait to be written. Raises DatabaseError.
        """
        statement = _STATEMENTS[subject.kind, subject.model is not None]
        parameters = [at, subject.id] + ([] if subject.model is None else [subject.model])
        row = await read(
            self._database, lambda connection: connection.fetchrow(statement, *parameters, timeout=_SECONDS)
        )
        return dict(row)
