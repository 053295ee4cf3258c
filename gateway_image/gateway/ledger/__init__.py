"""What was used by whom, in PostgreSQL: a row for each request, written off the requests' path."""

import asyncio
import random

import msgspec

from gateway.database import Database
from gateway.database.errors import DatabaseError
from gateway.ledger.encoding import encode
from gateway.ledger.partitions import keep_partitions
from gateway.ledger.row import UsageRow
from gateway.ledger.spool import Spool
from gateway.ledger.write import write_rows
from gateway.structured_log import StructuredLog

# The event of a log line that holds a whole row, in the field `row`.
SPILLED_EVENT = "usage_spilled"

_INTERVAL_SECONDS = 0.5
_BATCH_ROWS = 1000
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10
# While the process stops there is little time.
_LAST_PAUSE_SECONDS = 0.2
_STOPPED = "the process stopped before it was written"
# What is wrong with a row: a value (22), a constraint (23), a limit of PostgreSQL (54). A missing table or
# right (42) is none of them: it comes with the next migration.
WRONG_ROW = frozenset({"22", "23", "54"})


class Ledger:
    """Takes rows at once and writes them in batches, each row once, however often it has to try.

    Rows wait in memory while the database is away. Those that do not fit there, that the database refuses or
    that are left when the process stops go to the log, whole: `gateway.ledger.import_log` reads them back.

    spilled_rows: how many went to the log so far. is_writable: not while rows wait that could not be written.
    """

    def __init__(
        self, database: Database, log: StructuredLog, *, retention_months: int, spool: Spool | None = None
    ) -> None:
        self._database = database
        self._log = log
        self._retention_months = retention_months
        self._spool = Spool() if spool is None else spool
        self._batch_rows = _BATCH_ROWS
        self._writing = asyncio.Lock()
        self._batch_is_due = asyncio.Event()
        self._finished = False
        self.is_writable = True
        self.spilled_rows = 0

    @property
    def spooled_rows(self) -> int:
        """How many rows wait to be written."""
        return len(self._spool)

    @property
    def spooled_bytes(self) -> int:
        """How much memory they take."""
        return self._spool.bytes

    def record(self, row: UsageRow) -> None:
        """Take a row, at once."""
        encoded = encode(row)
        if self._finished:
            self._spill(encoded, _STOPPED)
        elif not self._spool.add(encoded):
            self._spill(encoded, "the spool is full")
        elif len(self._spool) >= _BATCH_ROWS:
            self._batch_is_due.set()

    async def keep_writing(self) -> None:
        """Write rows until cancelled, and look after the ledger's months."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_regularly())
            tasks.create_task(
                keep_partitions(self._database, self._log, retention_months=self._retention_months)
            )

    async def finish(self, seconds: float) -> None:
        """Write what waits, for at most so long; what is left then goes to the log."""
        try:
            async with asyncio.timeout(seconds):
                while not await self._write():  # noqa: ASYNC110 (nobody tells when it is back)
                    await asyncio.sleep(_LAST_PAUSE_SECONDS)
        except TimeoutError:
            self._spill_first(len(self._spool), _STOPPED)
        self._finished = True

    async def _write_regularly(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            try:
                async with asyncio.timeout(_INTERVAL_SECONDS):
                    await self._batch_is_due.wait()
            except TimeoutError:
                pass
            self._batch_is_due.clear()
            if await self._write():
                pause_seconds = _FIRST_PAUSE_SECONDS
                continue
            # Not all processes at the same moment.
            await asyncio.sleep(pause_seconds * random.uniform(0.5, 1))  # noqa: S311 (nothing secret)
            pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)

    async def _write(self) -> bool:
        """Write all that waits; False if the database is away."""
        async with self._writing:
            while batch := self._spool.batch(self._batch_rows):
                try:
                    async with self._database.writing() as connection:
                        await write_rows(connection, batch)
                except DatabaseError as error:
                    # Fewer rows next: a batch may be too much for a database that struggles, and a row that
                    # is refused has to be found.
                    self._batch_rows = max(len(batch) // 2, 1)
                    if (error.sqlstate or "")[:2] not in WRONG_ROW:
                        self._note_outage(str(error))
                        return False
                    if len(batch) == 1:
                        self._spill_first(1, f"the database refused it: {error}")
                else:
                    self._spool.remove(len(batch))
                    self._batch_rows = min(self._batch_rows * 2, _BATCH_ROWS)
                    self._note_recovery()
            # Also where all that waited was refused.
            self._note_recovery()
        return True

    def _note_outage(self, reason: str) -> None:
        if self.is_writable:
            self.is_writable = False
            self._log.write("warning", "ledger_not_writable", reason=reason, spooled_rows=len(self._spool))

    def _note_recovery(self) -> None:
        if not self.is_writable:
            self.is_writable = True
            self._log.write("info", "ledger_writable", spooled_rows=len(self._spool))

    def _spill_first(self, count: int, reason: str) -> None:
        for _ in range(count):
            self._spill(self._spool.take(), reason)

    def _spill(self, row: bytes, reason: str) -> None:
        self.spilled_rows += 1
        # An error, so that it is written at every log level.
        self._log.write("error", SPILLED_EVENT, reason=reason, row=msgspec.Raw(row))
