"""What a region that has taken over knows of what was used before, and how what it lacks comes back."""

import asyncio
import errno
import io
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway import salvage
from gateway.admission import Admission, LimitExceededError, Needs
from gateway.cache.connection import Cache
from gateway.callers import Caller, Project
from gateway.ledger.import_log import import_log
from gateway.ledger.sums import UsageSums
from gateway.limits import NANO_USD, Limits
from gateway.structured_log import StructuredLog
from local.drill.replica import promote
from local.throwaway_servers import CACHE_PASSWORD, Postgres, Valkey, free_port

pytestmark = pytest.mark.anyio

MODEL = "chat"
AdmitBeside = Callable[[Postgres], Awaitable[Admission]]
_ROWS = "SELECT coalesce(json_agg(usage ORDER BY id), '[]')::text FROM usage WHERE project_id = '{}'"


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A region's own, which knows nothing."""
    server = Valkey(free_port(), tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def admit_beside(
    valkey: Valkey, make_database: Any, make_settings: Any, log: StructuredLog
) -> AsyncIterator[AdmitBeside]:
    """Makes the admission of a gateway whose database is this one."""
    async with AsyncExitStack() as stack:

        async def make(server: Postgres) -> Admission:
            cache = Cache(
                make_settings(cache_port=valkey.port, cache_tls=False, cache_password=CACHE_PASSWORD)
            )
            sums = UsageSums(make_database(server))
            admission = Admission(cache, log, sums=sums, when_cache_is_away="closed")
            connection = asyncio.create_task(cache.stay_connected())
            stack.callback(connection.cancel)
            stack.push_async_callback(admission.close)
            await cache.ping()
            return admission

        yield make


@pytest.fixture
def caller() -> Caller:
    """One whose project may spend 100 USD a month."""
    project = Project(f"proj_{uuid.uuid4().hex}", "search", limits=Limits(usd_per_month=100))
    return Caller("key_1", "ci", "key", project=project)


@pytest.fixture
def spend(write: Any, make_row: Any, caller: Caller) -> Callable[[Postgres, float], Awaitable[None]]:
    """Has a row of the project's in a server's ledger."""
    assert caller.project is not None
    project_id = caller.project.id

    async def spend(server: Postgres, usd: float) -> None:
        row = make_row(project_id=project_id, cost_nano_usd=round(usd * NANO_USD), request_id=f"ü{usd}")
        await write(server, row)

    return spend


async def passes(admission: Admission, who: Caller, usd: float) -> bool:
    """Whether a request is admitted; it turns out to cost nothing."""
    try:
        admitted = await admission.admit(who, [], model=MODEL, needs=Needs(10, round(usd * NANO_USD)))
    except LimitExceededError:
        return False
    assert admitted.caller_reservation is not None
    admission.settle_caller(admitted.caller_reservation, Needs(0, 0))
    return True


async def used_usd(admission: Admission, who: Caller) -> float:
    (standing,) = await admission.standing(who.limits_on(MODEL))
    return standing.used / NANO_USD


async def lines_of(server: Postgres, environ: Any, *more: str) -> list[str]:
    """What the command prints of the last hour."""
    output = io.BytesIO()
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    arguments = ["--since", since, *more]
    assert await asyncio.to_thread(salvage.main, arguments, environ(server), output) == 0
    return output.getvalue().decode().splitlines()


async def bring_over(server: Postgres, lines: list[str]) -> tuple[int, int]:
    """Import lines as `gatehouse usage import` does; returns how many rows were new and known."""
    connection = await asyncpg.connect(server.dsn)
    async with connection.transaction():
        imported = await import_log(connection, lines)
    await connection.close()
    assert (imported.refused, imported.unreadable, imported.too_old) == ([], [], 0)
    return imported.written, imported.known


def compare_now(valkey: Valkey) -> None:
    """As if a minute had passed since windows were compared with the ledger."""
    import redis

    with redis.Redis("127.0.0.1", valkey.port, username="gateway", password=CACHE_PASSWORD) as client:
        for key in client.scan_iter("*usd_per_month*"):
            client.hset(key, "compared", 0)


async def test_a_budget_is_not_given_again(
    primary: Postgres,
    standby: Postgres,
    valkey: Valkey,
    admit_beside: AdmitBeside,
    caller: Caller,
    spend: Any,
    catch_up: Any,
    environ: Any,
    until: Any,
) -> None:
    """But for what the replica had not received, until that is brought over."""
    admission = await admit_beside(standby)
    await spend(primary, 95)
    await catch_up(standby)
    assert not await passes(admission, caller, 6)
    assert await passes(admission, caller, 5)
    await promote(standby)
    await spend(primary, 3)
    assert not await passes(admission, caller, 6)
    assert await passes(admission, caller, 5)

    written, _ = await bring_over(standby, await lines_of(primary, environ))
    assert written == 1
    compare_now(valkey)
    # The first request after that has the window compared.
    await passes(admission, caller, 5)

    async def corrected() -> bool:
        return await used_usd(admission, caller) == 98

    await until(corrected)
    assert not await passes(admission, caller, 3)
    assert await passes(admission, caller, 2)


async def test_a_window_from_an_earlier_time_in_charge_is_corrected_by_its_first_request(
    primary: Postgres,
    valkey: Valkey,
    admit_beside: AdmitBeside,
    caller: Caller,
    spend: Any,
    until: Any,
) -> None:
    """Its cache has kept the month; meanwhile the other region has spent most of it."""
    admission = await admit_beside(primary)
    await spend(primary, 10)
    assert await passes(admission, caller, 1)
    assert await used_usd(admission, caller) == 10
    await spend(primary, 85)
    compare_now(valkey)
    assert await passes(admission, caller, 50)

    async def corrected() -> bool:
        return await used_usd(admission, caller) == 95

    await until(corrected)
    assert not await passes(admission, caller, 6)


async def test_lost_rows_come_back_as_they_were_and_none_twice(
    primary: Postgres, standby: Postgres, caller: Caller, spend: Any, catch_up: Any, environ: Any, sql: Any
) -> None:
    assert caller.project is not None
    rows = _ROWS.format(caller.project.id)
    await spend(primary, 1)
    await catch_up(standby)
    await promote(standby)
    for usd in (2, 3):
        await spend(primary, usd)
    await spend(standby, 4)
    lost = {row["id"] for row in json.loads(await sql(primary, rows))}
    lines = await lines_of(primary, environ)
    assert json.loads(lines[-1])["rows"] == len(lines) - 1
    assert (await bring_over(standby, lines))[0] == 2
    assert await bring_over(standby, lines) == (0, len(lines) - 1)
    here = {row["id"]: row for row in json.loads(await sql(standby, rows))}
    assert len(here) == 4
    assert lost < set(here)
    # To the microsecond.
    for row in json.loads(await sql(primary, rows)):
        assert here[row["id"]] == row
    of_project = f"FROM usage_hourly WHERE project_id = '{caller.project.id}'"
    assert await sql(standby, f"SELECT sum(requests)::int {of_project}") == 4
    assert await sql(standby, f"SELECT sum(cost_nano_usd)::bigint {of_project}") == 10 * NANO_USD


async def test_a_span_of_time_is_salvaged(primary: Postgres, environ: Any, write: Any, make_row: Any) -> None:
    """From its first moment on, without its last."""
    since = datetime(2026, 3, 1, 10, tzinfo=UTC)
    moments = [since + timedelta(seconds=seconds) for seconds in (-0.001, 0, 59.999, 60)]
    rows = [make_row(admitted_at=each.timestamp(), model=f"m{each.second}") for each in moments]
    await write(primary, *rows)
    output = io.BytesIO()
    arguments = ["--since", "2026-03-01T10:00Z", "--until", "2026-03-01T11:01+01:00"]
    assert await asyncio.to_thread(salvage.main, arguments, environ(primary), output) == 0
    first, second, told = map(json.loads, output.getvalue().splitlines())
    assert [first["row"]["model"], second["row"]["model"]] == ["m0", "m59"]
    assert (told["event"], told["rows"]) == ("salvage_finished", 2)


class Full:
    """A disk or a pipe that takes nothing more."""

    def write(self, line: bytes, /) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


async def test_rows_that_cannot_be_printed_are_not_passed_over(
    primary: Postgres, environ: Any, write: Any, make_row: Any
) -> None:
    await write(primary, make_row())
    since = ["--since", (datetime.now(UTC) - timedelta(hours=1)).isoformat()]
    assert await asyncio.to_thread(salvage.main, since, environ(primary), Full()) == 1


async def test_what_keeps_rows_from_being_salvaged(
    primary: Postgres, environ: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    output = io.BytesIO()
    with pytest.raises(SystemExit) as raised:
        salvage.main(["--since", "2026-03-01T10:00"], {}, output)
    assert raised.value.code == 2
    assert "no time in ISO 8601 with an offset" in capsys.readouterr().err
    assert salvage.main(["--since", "2026-03-01T10:00Z"], {}, output) == 2
    assert "GATEWAY_DATABASE_HOST" in capsys.readouterr().err
    assert output.getvalue() == b""
    away = environ(primary) | {"GATEWAY_DATABASE_PORT": str(free_port())}
    assert await asyncio.to_thread(salvage.main, ["--since", "2026-03-01T10:00Z"], away, output) == 1
    assert json.loads(output.getvalue())["event"] == "salvage_failed"
