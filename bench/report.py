"""The result as text and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.candidate import Candidate
from bench.measure import Figures
from bench.targets import TARGETS, Results, Target

_COLUMNS = (
    "candidate",
    "CPU ms/request",
    "requests/s",
    "added p50/p99 ms",
    "CPU ms/stream",
    "memory MB",
    "first answer s",
    "does, besides forwarding",
)
_MARKS = {"aim": "✓✓", "must": "✓", "missed": "✗", "not measured": "–"}


def text(results: Results, candidates: Sequence[Candidate], versions: dict[str, str], note: str) -> str:
    """Two tables and how to read them."""
    rows = [_COLUMNS, *(_candidate_row(results, each, versions) for each in candidates)]
    targets = [
        ("requirement", "result", "must", "aim", "", "nginx's"),
        *(_row(each, results) for each in TARGETS),
    ]
    return "\n".join(["", *_table(rows), "", *_table(targets), "", *_details(results), note])


def _row(target: Target, results: Results) -> Sequence[str]:
    value, floor = target.value(results), target.floor(results)
    sign = "≥" if target.more_is_better else "≤"
    beside = "" if floor is None else f"{floor:.3g} {target.unit}"
    return (
        target.measure,
        "not measured" if value is None else f"{value:.3g} {target.unit}",
        f"{sign} {target.must:g}",
        f"{sign} {target.aim:g}",
        _MARKS[target.verdict(results)],
        f"{beside}, beyond the limit too" if target.is_beyond_floor(results) else beside,
    )


def document(results: Results, versions: dict[str, str], note: str) -> dict[str, Any]:
    """The same for programs."""
    return {
        "versions": versions,
        "figures": {name: asdict(figures) for name, figures in results.figures.items()},
        "not_measured": dict(results.reasons),
        "endurance": results.endurance and asdict(results.endurance),
        "scaling": results.scaling and {**asdict(results.scaling), "factor": results.scaling.factor},
        "requirements": [
            {
                "measure": f"{target.measure} ... {target.unit}",
                "value": target.value(results),
                "nginx": target.floor(results),
                "must": target.must,
                "aim": target.aim,
                "verdict": target.verdict(results),
            }
            for target in TARGETS
        ],
        "note": note,
    }


def _candidate_row(results: Results, candidate: Candidate, versions: dict[str, str]) -> Sequence[str]:
    name = f"{candidate.name} {versions.get(candidate.name, '')}".rstrip()
    figures = results.figures.get(candidate.name)
    if figures is None:
        return (name, f"not measured: {results.reasons[candidate.name]}")
    return (name, *_cells(figures), candidate.duties)


def _cells(figures: Figures) -> Sequence[str]:
    return (
        f"{figures.cpu_ms_per_request:.3f}",
        f"{figures.requests_per_second:.0f}",
        f"{figures.added_p50_ms:.1f}/{figures.added_p99_ms:.1f}",
        f"{figures.cpu_ms_per_stream:.2f}",
        f"{figures.memory_mb:.0f}",
        f"{figures.ready_seconds:.2f}",
    )


def _details(results: Results) -> list[str]:
    lines = []
    if results.endurance is not None:
        lines.append(f"Memory is that of our gateway after {results.endurance.requests:,} requests.")
    if (two := results.scaling) is not None:
        lines += [
            f"Two workers: {two.cpu_ms_per_request_of_two:.3f} CPU ms a request, one: "
            f"{two.cpu_ms_per_request_of_one:.3f}; the busier one has {two.busiest_share:.0%} of it.",
            f"Seen were {two.requests_per_second_of_two:.0f} requests a second of two in what the load left "
            f"of both cores, {two.requests_per_second_of_one:.0f} of one on a core of its own.",
        ]
    return lines


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell; a row of two cells is a name and a remark."""
    full = [row for row in rows if len(row) == len(rows[0])]
    widths = [max(len(row[column]) for row in full) for column in range(len(rows[0]))]
    widths[0] = max(len(row[0]) for row in rows)
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return [line.rstrip() for line in lines]
