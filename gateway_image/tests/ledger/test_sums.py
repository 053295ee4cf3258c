"""What a subject used in each calendar window, at the windows' edges."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.callers import Subject
from gateway.database import Database
from gateway.ledger.encoding import encode
from gateway.ledger.sums import UsageSums
from gateway.ledger.write import write_rows
from gateway.limits import DIMENSIONS, ROLLING

pytestmark = pytest.mark.anyio

CALLER = Subject("caller", "key_1", None)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


async def write(database: Database, *rows: Any) -> None:
    async with database.connection() as connection:
        await write_rows(connection, [encode(row) for row in rows])


async def test_nothing_is_used_at_first(database: Database) -> None:
    calendar = {name for name, dimension in DIMENSIONS.items() if dimension.window not in ROLLING}
    assert await UsageSums(database).used(CALLER, 1_763_719_200) == dict.fromkeys(calendar, 0)


@pytest.mark.parametrize(
    ("moment", "inside", "outside"),
    [
        # A Sunday's last second: its week began on Monday the 24th.
        ("2025-11-30T23:59:59", {"day": "2025-11-30T00:00:00"}, {"day": "2025-11-29T23:59:59.999999"}),
        ("2025-11-30T23:59:59", {"week": "2025-11-24T00:00:00"}, {"week": "2025-11-23T23:59:59.999999"}),
        ("2025-11-30T23:59:59", {"month": "2025-11-01T00:00:00"}, {"month": "2025-12-01T00:00:00"}),
        ("2025-12-01T00:00:00", {"day": "2025-12-01T00:00:00"}, {"day": "2025-11-30T23:59:59.999999"}),
        ("2025-12-01T00:00:00", {"week": "2025-12-07T23:59:59.999999"}, {"week": "2025-12-08T00:00:00"}),
        ("2025-12-01T00:00:00", {"month": "2025-12-31T23:59:59"}, {"month": "2025-11-30T23:59:59.999999"}),
        # A leap day, and the hour that clocks skip where there is summer time.
        ("2028-02-29T12:00:00", {"month": "2028-02-01T00:00:00"}, {"month": "2028-03-01T00:00:00"}),
        ("2026-03-29T01:30:00", {"day": "2026-03-29T23:59:59"}, {"day": "2026-03-30T00:00:00"}),
        ("2025-11-30T23:59:59", {"total": "2019-01-01T00:00:00"}, {}),
    ],
)
async def test_windows_are_calendar_windows_in_utc(
    database: Database, make_row: Any, moment: str, inside: dict[str, str], outside: dict[str, str]
) -> None:
    rows = [make_row(admitted_at=at(each), cost_nano_usd=7) for each in inside.values()]
    rows += [make_row(admitted_at=at(each), cost_nano_usd=100) for each in outside.values()]
    await write(database, *rows)
    used = await UsageSums(database).used(CALLER, int(at(moment)))
    for window in inside:
        name = "usd_total" if window == "total" else f"usd_per_{window}"
        assert used[name] == 7 + (100 if window == "total" else 0) * len(outside)
    assert used["usd_total"] == 7 + 100 * len(outside)


async def test_units(database: Database, make_row: Any) -> None:
    moment = 1_763_719_200
    await write(
        database,
        make_row(admitted_at=float(moment), input_tokens=100, output_tokens=20, cost_nano_usd=None),
        make_row(admitted_at=float(moment), status=500),
    )
    assert await UsageSums(database).used(CALLER, moment) == {
        "requests_per_day": 2,
        "tokens_per_day": 145,
        "tokens_per_week": 145,
        "tokens_per_month": 145,
        "usd_per_day": 1000,
        "usd_per_week": 1000,
        "usd_per_month": 1000,
        "usd_total": 1000,
    }


async def test_subjects(database: Database, make_row: Any) -> None:
    moment = 1_763_719_200
    rows = [
        make_row(admitted_at=float(moment), caller_id=caller, project_id=project, model=model)
        for caller, project, model in (
            ("key_1", "proj_1", "claude"),
            ("key_1", "proj_1", "nova"),
            ("key_2", "proj_1", "claude"),
            # The same caller, moved to another project.
            ("key_2", "proj_2", "claude"),
            ("user:x", None, "claude"),
        )
    ]
    await write(database, *rows)
    counted = {}
    for subject in (
        CALLER,
        Subject("caller", "key_1", "nova"),
        Subject("caller", "key_2", None),
        Subject("caller", "nobody", None),
        Subject("project", "proj_1", None),
        Subject("project", "proj_1", "claude"),
        Subject("project", "", None),
    ):
        used = await UsageSums(database).used(subject, moment)
        counted[tuple(subject)] = (used["requests_per_day"], used["usd_total"] // 1000)
    assert counted == {
        ("caller", "key_1", None): (2, 2),
        ("caller", "key_1", "nova"): (1, 1),
        ("caller", "key_2", None): (2, 2),
        ("caller", "nobody", None): (0, 0),
        ("project", "proj_1", None): (3, 3),
        ("project", "proj_1", "claude"): (2, 2),
        ("project", "", None): (1, 1),
    }
