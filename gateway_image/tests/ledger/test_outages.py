"""Whatever happens to the database or on the way to it: every recorded row is in the ledger once."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import psutil
import pytest

from gateway.database import Database
from gateway.ledger import Ledger
from gateway.ledger.row import UsageRow
from gateway.ledger.spool import Spool
from gateway.structured_log import StructuredLog
from local.throwaway_servers import Postgres, ServerError, free_port

pytestmark = pytest.mark.anyio

LIMIT_SECONDS = 90


class Load:
    """Ledgers that are given rows all the time."""

    def __init__(self, ledgers: list[Ledger], make_row: Callable[..., UsageRow]) -> None:
        self.ledgers = ledgers
        self.recorded: set[str] = set()
        self._make_row = make_row

    async def run(self) -> None:
        """Record rows until cancelled."""
        while True:
            for ledger in self.ledgers:
                row = self._make_row(caller_id=f"key_{len(self.recorded) % 3}")
                ledger.record(row)
                self.recorded.add(row.id)
            await asyncio.sleep(0.005)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds, while rows come in."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.02)


@asynccontextmanager
async def load(
    databases: list[Database], log: StructuredLog, make_row: Callable[..., UsageRow]
) -> AsyncIterator[Load]:
    """Ledgers under load; at the end they have written everything."""
    ledgers = [Ledger(database, log, retention_months=13) for database in databases]
    running = Load(ledgers, make_row)
    tasks = [asyncio.create_task(each.keep_writing()) for each in ledgers]
    recording = asyncio.create_task(running.run())
    try:
        yield running
        recording.cancel()
    finally:
        recording.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.wait([recording, *tasks])
    await asyncio.gather(*(each.finish(LIMIT_SECONDS) for each in ledgers))
    assert [each.spilled_rows for each in ledgers] == [0] * len(ledgers)


async def ids_in(server: Postgres) -> list[str]:
    connection = await asyncpg.connect(server.dsn)
    try:
        return [str(row["id"]) for row in await connection.fetch("SELECT id FROM usage")]
    finally:
        await connection.close()


async def start_again(server: Postgres) -> None:
    """Start a killed server: what it left behind must have ended before."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            with suppress(ServerError):
                await asyncio.to_thread(server.start)
                return
            await asyncio.sleep(0.2)


async def test_a_killed_database(
    own_server: Postgres,
    make_database: Callable[..., Database],
    log: StructuredLog,
    lines: Any,
    make_row: Any,
    assert_sums_are_those_of_the_rows: Any,
) -> None:
    databases = [make_database(own_server.port) for _ in range(2)]
    async with load(databases, log, make_row) as running:
        for outage in (1, 2):
            before = len(running.recorded)
            await running.until(lambda before=before: len(running.recorded) > before + 50)  # type: ignore[misc]
            own_server.stop(signal.SIGKILL)
            await running.until(lambda: not any(ledger.is_writable for ledger in running.ledgers))
            during = len(running.recorded)
            await running.until(lambda during=during: len(running.recorded) > during + 200)  # type: ignore[misc]
            assert all(ledger.spooled_rows for ledger in running.ledgers)
            await start_again(own_server)
            await running.until(lambda: all(ledger.is_writable for ledger in running.ledgers))
            # Once for each ledger and outage, however often it tried.
            assert len(lines.events("ledger_not_writable")) >= outage * 2
    found = await ids_in(own_server)
    assert len(found) == len(set(found))
    assert set(found) == running.recorded
    connection = await asyncpg.connect(own_server.dsn)
    await assert_sums_are_those_of_the_rows(connection)
    await connection.close()


async def test_a_database_that_hangs(
    own_server: Postgres,
    make_database: Callable[..., Database],
    log: StructuredLog,
    make_row: Any,
    assert_sums_are_those_of_the_rows: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Statements that were given up may still be run when it goes on."""
    monkeypatch.setattr("gateway.ledger.write.WRITE_SECONDS", 0.5)
    monkeypatch.setattr("gateway.database._CONNECT_SECONDS", 0.5)
    assert own_server.process is not None
    async with load([make_database(own_server.port) for _ in range(2)], log, make_row) as running:
        await running.until(lambda: len(running.recorded) > 50)
        postmaster = psutil.Process(own_server.process.pid)
        processes = [postmaster, *postmaster.children()]
        for process in processes:
            process.suspend()
        try:
            await running.until(lambda: not any(ledger.is_writable for ledger in running.ledgers))
            during = len(running.recorded)
            await running.until(lambda: len(running.recorded) > during + 300)
        finally:
            for process in processes:
                process.resume()
        monkeypatch.undo()
    found = await ids_in(own_server)
    assert len(found) == len(set(found))
    assert set(found) == running.recorded
    connection = await asyncpg.connect(own_server.dsn)
    await assert_sums_are_those_of_the_rows(connection)
    await connection.close()


class Proxy:
    """Passes bytes on to a server. cut_answers: ends connections instead of passing an answer on."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.cut_answers = False
        self.cuts = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(
            self._pass_on(reader, server_writer, lambda: False),
            self._pass_on(server_reader, writer, lambda: self.cut_answers),
            return_exceptions=True,
        )

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: Callable[[], bool]
    ) -> None:
        try:
            while data := await reader.read(65536):
                if cut():
                    self.cuts += 1
                    writer.transport.abort()
                    return
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


async def test_a_commit_whose_answer_is_lost(
    shared_server: Postgres,
    name: str,
    owner: asyncpg.Connection,
    make_database: Callable[..., Database],
    log: StructuredLog,
    make_row: Any,
    assert_sums_are_those_of_the_rows: Any,
) -> None:
    proxy = Proxy(shared_server.port)
    port = free_port()
    async with await asyncio.start_server(proxy.serve, "127.0.0.1", port):
        database = make_database(port, name)
        # So that the answer that is cut off is that of the batch: the connection and the statement are ready.
        warm = Ledger(database, log, retention_months=13)
        warm.record(make_row())
        await warm.finish(LIMIT_SECONDS)
        ledger = Ledger(database, log, retention_months=13)
        for _ in range(20):
            ledger.record(make_row())
        proxy.cut_answers = True
        finishing = asyncio.create_task(ledger.finish(LIMIT_SECONDS))
        async with asyncio.timeout(LIMIT_SECONDS):
            while ledger.is_writable:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            # It was committed, and the ledger does not know.
            assert await owner.fetchval("SELECT count(*) FROM usage") == 21
            assert ledger.spooled_rows == 20
            proxy.cut_answers = False
            await finishing
        await database.close()
    assert proxy.cuts
    assert await owner.fetchval("SELECT count(*) FROM usage") == 21
    await assert_sums_are_those_of_the_rows(owner)


async def test_a_full_spool_spills_to_the_log(
    make_database: Callable[..., Database], lines: Any, make_row: Any
) -> None:
    """Even at the level that writes least."""
    log = StructuredLog(lines, "error")
    ledger = Ledger(make_database(free_port()), log, retention_months=13, spool=Spool(most_rows=5))
    rows = [make_row(request_id=f"r{number}") for number in range(8)]
    for row in rows:
        ledger.record(row)
    assert (ledger.spooled_rows, ledger.spilled_rows) == (5, 3)
    spilled = [line["row"]["id"] for line in lines.events("usage_spilled")]
    assert spilled == [row.id for row in rows[5:]]
    assert set(lines.events("usage_spilled")[0]["row"]) == set(UsageRow.__struct_fields__)


async def test_what_is_left_at_the_end_goes_to_the_log(
    make_database: Callable[..., Database], log: StructuredLog, lines: Any, make_row: Any
) -> None:
    ledger = Ledger(make_database(free_port()), log, retention_months=13)
    rows = [make_row() for _ in range(3)]
    for row in rows:
        ledger.record(row)
    began = time.monotonic()
    await ledger.finish(0.3)
    assert time.monotonic() - began < LIMIT_SECONDS
    late = make_row()
    ledger.record(late)
    assert [line["row"]["id"] for line in lines.events("usage_spilled")] == [row.id for row in [*rows, late]]
    assert ledger.spooled_rows == 0
