"""The patterns' figures as a picture for the documentation."""

from collections.abc import Sequence

from docs.architecture.svg import document, text
from local.patterns.measure import Bar, Result

_WIDTH = 960
_LEFT = 260
_BAR_WIDTH = 420
_ROW = 26
_HEAD = 54


def draw(results: Sequence[Result]) -> str:
    """Draw one group of bars for each pattern."""
    shapes: list[str] = []
    y = 20.0
    for result in results:
        shapes.append(text(24, y + 20, f"{result.number}  {result.name}", "name"))
        shapes.append(text(24, y + 40, f"{result.set_up}. Article: {result.expected}.", "note"))
        y += _HEAD
        for bar in result.bars:
            shapes += _bar(bar, y)
            y += _ROW
        y += 18
    page = f'<rect class="page" x="1" y="1" width="{_WIDTH - 2}" height="{y + 8:g}" rx="8"/>'
    description = "; ".join(f"{result.name}: {result.measured}" for result in results)
    return document(_WIDTH, int(y + 10), "Five resilience patterns, measured", description, [page, *shapes])


def _bar(bar: Bar, y: float) -> list[str]:
    width = _BAR_WIDTH * bar.count / bar.total
    return [
        text(_LEFT - 12, y + 15, bar.label, anchor="end"),
        f'<rect class="network" x="{_LEFT}" y="{y:g}" width="{_BAR_WIDTH}" height="20" rx="3"/>',
        f'<rect class="head" x="{_LEFT}" y="{y:g}" width="{width:g}" height="20" rx="3"/>',
        text(_LEFT + _BAR_WIDTH + 12, y + 15, f"{bar.count} of {bar.total}"),
    ]
