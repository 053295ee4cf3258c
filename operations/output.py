"""Tables for people, JSON for programs. Both come on stdout; messages go to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from operations.text import clean

Shown = Table | Text | Group
Cell = str | Text | None
Justify = Literal["left", "right"]

# Wider than any table: what reads a pipe wants whole lines.
_PIPE_WIDTH = 10_000
# A column of text is not made narrower than this.
_NARROWEST = 9
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_STYLES = {
    "active": "green",
    "available": "green",
    "ok": "green",
    "failed": "red",
    "revoked": "red",
    "expired": "yellow",
    "archived": "yellow",
    "project_archived": "yellow",
    "cooling": "yellow",
}


def print_json(value: Any) -> None:
    """Print a value; ASCII only, so that no name can steer a terminal."""
    print(json.dumps(value, indent=2))


def print_text(text: str) -> None:
    """Print what the gateway wrote, as it is to a file or pipe, and without what would steer a terminal."""
    if sys.stdout.isatty():
        text = clean(text.replace("\r\n", "\n"))
    sys.stdout.write(text)


def print_shown(shown: Shown) -> None:
    """Print a table: as wide as the terminal, or as it needs to be where there is none."""
    console(Console()).print(shown)


def console(terminal: Console) -> Console:
    """A console that changes nothing of what it is told to print."""
    width = None if terminal.is_terminal else _PIPE_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def table(*columns: str, rows: Iterable[Sequence[Cell]], total: Sequence[Cell] | None = None) -> Table:
    """A table as wide as the terminal at most; None is shown as '-'.

    A column named '>x' is of numbers; one named '!x' is never broken over lines; one named '?x' is left out
    where there is no room for all, the last one first.
    """
    lines = [list(map(_text, row)) for row in rows]
    last = list(map(_text, total)) if total and lines else []
    terminal = console(Console())
    shown = list(range(len(columns)))
    while True:
        drawn = _drawn(columns, shown, lines, last)
        optional = [index for index in shown if "?" in _marks(columns[index])]
        if (
            not optional
            or terminal.measure(drawn, options=terminal.options.update(width=_PIPE_WIDTH)).maximum
            <= terminal.width
        ):
            return drawn
        shown.remove(optional[-1])


def _marks(column: str) -> str:
    return column[: len(column) - len(column.lstrip(">!?"))]


def _drawn(columns: Sequence[str], shown: list[int], lines: list[list[Text]], last: list[Text]) -> Table:
    drawn = Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), show_footer=bool(last)
    )
    drawn.header_style = drawn.footer_style = "bold"
    for index in shown:
        marks = _marks(columns[index])
        name = columns[index].removeprefix(marks)
        widest = max((len(line) for row in lines for line in str(row[index]).splitlines()), default=0)
        drawn.add_column(
            name,
            justify="right" if ">" in marks else "left",
            no_wrap=bool(set(marks) & set(">!")),
            overflow="fold",
            min_width=min(max(widest, len(name)), _NARROWEST),
            footer=last[index] if last else "",
        )
    for row in lines:
        drawn.add_row(*(row[index] for index in shown))
    if not lines:
        drawn.caption, drawn.caption_justify = "none", "left"
    return drawn


def fields(pairs: Iterable[tuple[str, Cell]]) -> Table:
    """One thing, a line for each of its fields that holds something."""
    drawn = Table.grid(padding=(0, 2))
    drawn.add_column(style="bold", no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None and str(value):
            drawn.add_row(name, _text(value))
    return drawn


def together(*parts: Shown | None) -> Group:
    """Several parts, one below the other."""
    return Group(*(part for part in parts if part is not None))


def note(text: str) -> Text:
    """A line below a table."""
    return Text("\n" + clean(text), style="dim")


def state(word: str) -> Text:
    """A state in its colour; the word tells it too."""
    return Text(clean(word), style=_STYLES.get(word, ""))


def number(value: float | None, *, digits: int = 0) -> str:
    """A number with separators; '-' for none."""
    return "-" if value is None else f"{value:,.{digits}f}"


def bar(share: float, *, width: int = 10, alarming: bool = True) -> Text:
    """A bar that is full at 1; what is more than nothing is seen. alarming: near 1 it warns by its colour."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    if share > 0:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + (_EIGHTHS[rest] if rest else "")
    style = "red" if alarming and share >= 1 else "yellow" if alarming and share >= 0.8 else "cyan"
    return Text(f"{drawn:<{width}}", style=style)


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text("-" if cell is None else clean(cell))
