"""gatehouse usage import: rows of the ledger that went to the gateway's log, brought back."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, NamedTuple

import click

from operations.commands import Command, Session, options_of, with_session
from operations.errors import RefusedError, WrongUsageError

if TYPE_CHECKING:
    from operations.output import Shown

_EVENT = "usage_spilled"
# The admin API takes bodies of up to 256 KiB, with up to 10,000 lines.
_BATCH_BYTES = 240 * 1024
_BATCH_LINES = 1000
_SHOWN_LINES = 20


class _Line(NamedTuple):
    number: int
    text: str


@click.command(
    "import",
    cls=Command,
    examples="""
    gatehouse usage import gateway.log
    aws logs tail "$GROUP" --since 2d --format short --filter-pattern usage_spilled > spilled.log
    gatehouse usage import spilled.log""",
)
@click.argument("file", type=click.File("rb"))
@click.pass_context
def import_usage(context: click.Context, file: IO[bytes]) -> None:
    """Bring rows that the gateway wrote to its log back into the ledger.

    FILE is a log, or - for stdin; lines without a row are passed over. A row is written once, however often
    it is imported.
    """
    if file is sys.stdin.buffer and str(options_of(context).get("key_file")) == "-":
        raise WrongUsageError("the log and the key cannot both come from stdin")
    _import(file)


@with_session
def _import(session: Session, file: IO[bytes]) -> None:
    totals = {"rows": 0, "written": 0, "known": 0, "too_old": 0}
    lost: dict[str, list[int]] = {"refused": [], "unreadable": []}
    with _Progress() as progress:
        for batch in _batches(_spilled(file), lost["unreadable"]):
            found = session.gateway.change(
                "POST", "/usage/import", {"lines": [each.text for each in batch]}
            ).body
            totals["rows"] += len(batch)
            for name in ("written", "known", "too_old"):
                totals[name] += found[name]
            for name, numbers in lost.items():
                numbers += [batch[number - 1].number for number in found[name]]
            progress.tell(totals)
    told: dict[str, int | list[int]] = {**totals, **{name: sorted(numbers) for name, numbers in lost.items()}}
    session.show(told, lambda: _table(told))
    if lines := sorted({*lost["refused"], *lost["unreadable"]}):
        shown = ", ".join(map(str, lines[:_SHOWN_LINES])) + (", ..." if len(lines) > _SHOWN_LINES else "")
        raise RefusedError(f"{len(lines)} lines hold rows that cannot be imported: {shown}")


def _spilled(file: IO[bytes]) -> Iterator[_Line]:
    """The lines that tell of a row: most of a log's are of requests."""
    for number, raw in enumerate(file, start=1):
        text = raw.decode(errors="replace").strip()
        if _EVENT in text:
            yield _Line(number, text)


def _batches(lines: Iterable[_Line], too_long: list[int]) -> Iterator[list[_Line]]:
    """As many lines as one request takes; those that no request takes are named in `too_long`."""
    batch: list[_Line] = []
    size = 0
    for line in lines:
        # Escaped to ASCII, which no other form of JSON is longer than.
        length = len(json.dumps(line.text)) + len(", ")
        if length > _BATCH_BYTES:
            too_long.append(line.number)
            continue
        if batch and (size + length > _BATCH_BYTES or len(batch) == _BATCH_LINES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += length
    if batch:
        yield batch


class _Progress:
    """One line on a terminal, rewritten as rows are imported."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo("\r\033[K", nl=False, err=True)

    def tell(self, totals: Mapping[str, int]) -> None:
        """Show how far it has come."""
        if self._shown:
            text = f"{totals['rows']:,} rows read, {totals['written']:,} of them new"
            click.echo(f"\r{text}\033[K", nl=False, err=True)


def _table(told: Mapping[str, int | list[int]]) -> Shown:
    from operations.output import fields, number

    names = {
        "rows": "Rows read",
        "written": "New",
        "known": "Known already",
        "too_old": "Too old",
        "refused": "Refused",
        "unreadable": "Unreadable",
    }
    counts = {name: len(found) if isinstance(found, list) else found for name, found in told.items()}
    return fields((title, number(counts[name])) for name, title in names.items())
