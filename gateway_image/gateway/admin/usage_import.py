"""Rows of the ledger that went to the log, brought back."""

from typing import Annotated

from pydantic import Field

from gateway.admin.change import Changed, log_entry
from gateway.admin.fields import Given, Told
from gateway.admin.front import Answer, Asked
from gateway.admin.invalid import read_body, valid, valid_query
from gateway.admin.store import audit
from gateway.ledger.import_log import import_log

_MOST_LINES = 10_000


class LogLines(Given):
    """Lines of the gateway's log. Those without a row are passed over; a time may stand before the JSON."""

    lines: Annotated[tuple[str, ...], Field(max_length=_MOST_LINES)]


class ImportedUsage(Told):
    """What became of the rows in the lines.

    written: new in the ledger. known: there already. too_old: of months that were dropped, so that nobody can
    tell whether they were there. refused: numbers of lines, from 1, whose row the database does not take.
    unreadable: of those that tell of a row but do not hold a whole one.
    """

    written: int
    known: int
    too_old: int
    refused: tuple[int, ...]
    unreadable: tuple[int, ...]


async def import_usage(asked: Asked) -> Answer:
    """Write rows that went to the gateway's log into the ledger, each once however often they come."""
    valid_query(Given, asked.request.query)
    given = valid(LogLines, await read_body(asked.request))
    async with asked.parts.database.connection() as connection, connection.transaction():
        found = await import_log(connection, given.lines)
        told = ImportedUsage(
            written=found.written,
            known=found.known,
            too_old=found.too_old,
            refused=tuple(found.refused),
            unreadable=tuple(found.unreadable),
        )
        answer = Answer(told)
        if told.written:
            changed = Changed(answer, "import", "usage", "ledger", after=told)
            await audit.add(connection, log_entry(asked, changed, "import"))
    return answer
