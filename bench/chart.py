"""Draws what each candidate costs, as dots on logarithmic scales: bars would hide all but the slowest."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.measure import Figures
from docs.architecture.layout import Rectangle
from docs.architecture.svg import box, document, lines, text

_WIDTH = 960
_TOP = 92
_ROW = 30
_NAMES_WIDTH = 250
_MARGIN = 24
_GAP = 36
_STYLE = """<style>
.grid { stroke: #d9e0e8; }
.dot { fill: #7b8ca0; }
.ours { fill: #2b6f8f; }
@media (prefers-color-scheme: dark) {
  .grid { stroke: #2b3540; }
  .dot { fill: #8d9db0; }
  .ours { fill: #6db3d3; }
}
</style>"""


@dataclass(frozen=True)
class _Panel:
    title: str
    value: Callable[[Figures], float]


_PANELS = (
    _Panel("CPU per request, ms", lambda figures: figures.cpu_ms_per_request),
    _Panel("CPU per stream, ms", lambda figures: figures.cpu_ms_per_stream),
    _Panel("memory, MB", lambda figures: figures.memory_mb),
)


def draw(figures: dict[str, Figures], ours: Sequence[str], notes: list[str]) -> str:
    """An SVG picture; `ours` are the candidates to stand out, the lines of `notes` are written below."""
    height = _TOP + _ROW * len(figures) + 40 + 20 * len(notes)
    title = "What one request costs a gateway"
    shapes = [
        _STYLE,
        box(Rectangle(1, 1, _WIDTH - 2, height - 2), "page"),
        text(_MARGIN, 40, title, "title"),
    ]
    for row, name in enumerate(figures):
        shapes.append(text(_MARGIN, _middle(row) + 5, name, "name" if name in ours else ""))
    width = (_WIDTH - _NAMES_WIDTH - _MARGIN) / len(_PANELS) - _GAP
    for number, panel in enumerate(_PANELS):
        left = _NAMES_WIDTH + number * (width + _GAP)
        shapes += _panel(panel, figures, ours, left, width)
    shapes += lines(_MARGIN, height - 20 * len(notes), notes, "note", leading=20)
    return document(_WIDTH, height, title, _description(figures), shapes)


def _panel(
    panel: _Panel, figures: dict[str, Figures], ours: Sequence[str], left: float, width: float
) -> list[str]:
    values = {name: panel.value(each) for name, each in figures.items()}
    low = math.floor(math.log10(min(values.values())))
    # The label stands right of the dot, so the greatest must not touch the end.
    high = max(low + 1, math.ceil(math.log10(max(values.values()) * 1.5)))
    bottom = _TOP + _ROW * len(values)
    shapes = [text(left, _TOP - 24, panel.title, "note")]
    for power in range(low, high + 1):
        x = left + width * (power - low) / (high - low)
        shapes.append(f'<path class="grid" d="M{x:.1f} {_TOP - 6}V{bottom}"/>')
        shapes.append(text(x, bottom + 18, f"{10**power:g}", "note", anchor="middle"))
    for row, (name, value) in enumerate(values.items()):
        x = left + width * (math.log10(value) - low) / (high - low)
        kind = "ours" if name in ours else "dot"
        shapes.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{_middle(row)}" r="6"/>')
        shapes.append(text(x + 11, _middle(row) + 5, f"{value:.3g}", "note"))
    return shapes


def _middle(row: int) -> int:
    return _TOP + _ROW * row + _ROW // 2


def _description(figures: dict[str, Figures]) -> str:
    each = (
        f"{name}: {figure.cpu_ms_per_request:.3g} ms of CPU a request, {figure.cpu_ms_per_stream:.3g} ms a "
        f"stream, {figure.memory_mb:.0f} MB"
        for name, figure in figures.items()
    )
    return "; ".join(each)
