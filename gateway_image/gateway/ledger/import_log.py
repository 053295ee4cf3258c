"""Brings rows that went to the log back into the ledger."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import asyncpg
import msgspec

from gateway.ledger import SPILLED_EVENT, WRONG_ROW
from gateway.ledger.encoding import encode
from gateway.ledger.row import UsageRow
from gateway.ledger.write import write_rows

_BATCH_ROWS = 1000


class Imported(msgspec.Struct):
    """What became of the rows in a log.

    written: new in the ledger. known: there already. too_old: of months that the ledger no longer holds, so
    that nobody can tell whether they were there. refused: the numbers of lines, from 1, whose row the
    database refuses for its values. unreadable: of those that tell of a row but do not hold a whole one.
    """

    written: int = 0
    known: int = 0
    too_old: int = 0
    refused: list[int] = msgspec.field(default_factory=list)
    unreadable: list[int] = msgspec.field(default_factory=list)


class _Line(msgspec.Struct):
    event: str
    row: msgspec.Raw = msgspec.Raw(b"null")


class _Numbered(NamedTuple):
    number: int
    row: UsageRow


_LINE = msgspec.json.Decoder(_Line)
_ROW = msgspec.json.Decoder(UsageRow)


async def import_log(connection: asyncpg.Connection, lines: Iterable[str]) -> Imported:
    """Write the rows that log lines hold, each once however often it is imported.

    Lines may be those of a whole log, and may have something before their JSON, such as a time: those that
    hold no row are passed over. The connection needs the rights of a serving process. Errors of the database
    are asyncpg's; what was imported until then stays, and importing again does not double it.
    """
    imported = Imported()
    kept_since = await connection.fetchval("SELECT kept_since FROM usage_retention")
    rows = _rows(lines, imported)
    while batch := list(islice(rows, _BATCH_ROWS)):
        await _import_rows(connection, batch, kept_since, imported)
    return imported


async def _import_rows(
    connection: asyncpg.Connection, rows: Sequence[_Numbered], kept_since: datetime, imported: Imported
) -> None:
    oldest = kept_since.timestamp()
    kept = [each for each in rows if each.row.admitted_at >= oldest]
    imported.too_old += len(rows) - len(kept)
    await _write(connection, kept, imported)


async def _write(connection: asyncpg.Connection, rows: Sequence[_Numbered], imported: Imported) -> None:
    """Write rows; a log also holds those that went there because the database had refused them."""
    try:
        # Of the caller's transaction, if it has one, only this part is undone.
        async with connection.transaction():
            written = await write_rows(connection, [encode(each.row) for each in rows])
    except asyncpg.PostgresError as error:
        if (error.sqlstate or "")[:2] not in WRONG_ROW:
            raise
        if len(rows) == 1:
            imported.refused.append(rows[0].number)
            return
        middle = len(rows) // 2
        await _write(connection, rows[:middle], imported)
        await _write(connection, rows[middle:], imported)
    else:
        imported.written += written
        imported.known += len(rows) - written


def _rows(lines: Iterable[str], imported: Imported) -> Iterator[_Numbered]:
    for number, line in enumerate(lines, start=1):
        if SPILLED_EVENT not in line:
            continue
        try:
            found = _LINE.decode(line[line.find("{") :])
            if found.event == SPILLED_EVENT:
                yield _Numbered(number, _ROW.decode(found.row))
        except msgspec.MsgspecError:
            imported.unreadable.append(number)
