"""The few shapes of the architecture picture, as SVG that reads well on light and dark pages."""

from html import escape

from docs.architecture.layout import Rectangle

# The picture has its own background: a page's theme and the system's, which chooses here, may differ.
_STYLE = """
text { font: 15px -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; fill: #24303f; }
.name { font-size: 17px; font-weight: 600; }
.title { font-size: 20px; font-weight: 600; }
.note { font-size: 13px; fill: #5c6b7e; }
.page { fill: #f7f9fb; stroke: #d9e0e8; }
.network { fill: #e6eff4; }
.border { fill: none; stroke: #4f8299; stroke-width: 1.5; stroke-dasharray: 6 4; }
.stack { fill: #ffffff; stroke: #7b8ca0; stroke-width: 1.2; }
.outside { fill: #eef0f3; stroke: #aeb8c4; stroke-width: 1.2; }
.flow { stroke: #2b6f8f; stroke-width: 2; }
.head { fill: #2b6f8f; }
@media (prefers-color-scheme: dark) {
  text { fill: #dbe3ec; }
  .note { fill: #9aa8b8; }
  .page { fill: #12171e; stroke: #2b3540; }
  .network { fill: #17252d; }
  .border { stroke: #6ba0b8; }
  .stack { fill: #1d2630; stroke: #6b7c90; }
  .outside { fill: #191f27; stroke: #46525f; }
  .flow { stroke: #6db3d3; }
  .head { fill: #6db3d3; }
}
"""


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Write a line of text whose baseline is at y."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'


def lines(x: float, y: float, words: list[str], kind: str = "", leading: float = 21) -> list[str]:
    """Write lines of text below each other."""
    return [text(x, y + index * leading, line, kind) for index, line in enumerate(words)]


def box(place: Rectangle, kind: str) -> str:
    """Draw a rectangle with round corners."""
    x, y, width, height = place
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8"/>'


def arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Draw a straight arrow."""
    (x1, y1), (x2, y2) = start, end
    return f'<path class="flow" d="M{x1:g} {y1:g}L{x2:g} {y2:g}" marker-end="url(#head)"/>'


def document(width: int, height: int, title: str, description: str, shapes: list[str]) -> str:
    """Put shapes into an SVG document."""
    head = (
        '<marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="11" markerHeight="11" '
        'markerUnits="userSpaceOnUse" orient="auto"><path class="head" d="M0 0L8 4L0 8Z"/></marker>'
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-labelledby="title description">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="description">{escape(description)}</desc>',
            f"<style>{_STYLE}</style>",
            f"<defs>{head}</defs>",
            *shapes,
            "</svg>",
            "",
        ]
    )
