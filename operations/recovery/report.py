"""What a failover or a drill did, and how long each part of it took: for machines, tickets and people."""

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from operations.recovery.steps import planned
from operations.recovery.words import duration, moment

Action = Literal["failover", "failback", "drill", "protect"]
Outcome = Literal["completed", "completed with skipped steps", "failed", "cancelled", "running"]
DONE: frozenset[Outcome] = frozenset({"completed", "completed with skipped steps"})


@dataclass(frozen=True, kw_only=True)
class StepTime:
    """A step of the plan. Times are seconds since the epoch; None for what has not happened.

    mode: `ungraceful` if it was run as if the other region were lost.
    """

    name: str
    status: str
    started: float | None
    ended: float | None
    error: str | None = None
    mode: str | None = None


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Seconds that a measure may take, and how many it took; None for what was not measured."""

    allowed: float
    measured: float | None

    @property
    def is_met(self) -> bool | None:
        """Whether it was met; None if it was not measured."""
        return None if self.measured is None else self.measured <= self.allowed


@dataclass(frozen=True, kw_only=True)
class Report:
    """One recovery. measures: further numbers by name, such as a drill's lost requests."""

    environment: str
    action: Action
    from_region: str
    to_region: str
    mode: str
    execution_id: str
    outcome: Outcome
    started: float
    ended: float | None
    recovery_time: Objective
    recovery_point: Objective
    steps: Sequence[StepTime]
    reason: str = ""
    findings: Sequence[str] = ()
    measures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether it did what it was for."""
        return self.outcome in DONE


def as_json(report: Report) -> str:
    """For machines: every field by its name, times in seconds since the epoch."""
    return json.dumps(asdict(report), indent=2)


def as_markdown(report: Report) -> str:
    """For a ticket."""
    lines = [
        f"# {_title(report)}",
        "",
        f"{moment(report.started)} · {report.outcome} · {report.mode} · execution `{report.execution_id}`",
        *(["", f"> {_line(report.reason)}"] if report.reason else []),
        "",
        "| objective | allowed | measured | |",
        "|---|---|---|---|",
        *(
            f"| {name} | {duration(it.allowed)} | {duration(it.measured)} | {_verdict(it)} |"
            for name, it in _objectives(report)
        ),
        "",
        "| step | status | began after | took | expected |",
        "|---|---|---|---|---|",
        *(
            f"| {step.name} | {step.status} | {_after(report, step)} | {_took(step)} | {_expected(step)} |"
            for step in report.steps
        ),
    ]
    if report.measures:
        lines += ["", "| measured | |", "|---|---|"]
        lines += [f"| {_cell(name)} | {_cell(value)} |" for name, value in report.measures.items()]
    errors = [f"{step.name}: {step.error}" for step in report.steps if step.error]
    for heading, entries in (("Errors", errors), ("Findings", report.findings)):
        if entries:
            lines += ["", f"## {heading}", "", *(f"- {_line(entry)}" for entry in entries)]
    return "\n".join(lines) + "\n"


def as_html(report: Report) -> str:
    """For people: one page without anything from elsewhere, with a time line of the steps."""
    objectives = "".join(
        f"<tr class={_class(objective)}><th>{name}</th><td>{duration(objective.measured)}</td>"
        f"<td>of {duration(objective.allowed)}</td><td>{_verdict(objective)}</td></tr>"
        for name, objective in _objectives(report)
    )
    measures = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in report.measures.items()
    )
    notes = [f"{step.name}: {step.error}" for step in report.steps if step.error] + list(report.findings)
    listed = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return _PAGE.format(
        title=html.escape(_title(report)),
        subtitle=html.escape(
            f"{moment(report.started)} · {report.outcome} · {report.mode} · execution {report.execution_id}"
        ),
        reason=f"<blockquote>{html.escape(report.reason)}</blockquote>" if report.reason else "",
        objectives=objectives,
        timeline=f"<h2>Steps: took, of expected</h2>{_timeline(report)}" if report.steps else "",
        measures=f"<h2>Measured</h2><table>{measures}</table>" if measures else "",
        notes=f"<h2>Errors and findings</h2><ul>{listed}</ul>" if listed else "",
    )


def _line(text: str) -> str:
    return " ".join(text.split())


def _cell(value: object) -> str:
    return _line(str(value)).replace("|", "\\|")


def _title(report: Report) -> str:
    return f"{report.action.capitalize()} of {report.environment}: {report.from_region} to {report.to_region}"


def _objectives(report: Report) -> list[tuple[str, Objective]]:
    return [("Recovery time", report.recovery_time), ("Recovery point", report.recovery_point)]


def _verdict(objective: Objective) -> str:
    return {None: "not measured", True: "met", False: "missed"}[objective.is_met]


def _class(objective: Objective) -> str:
    return {None: "unknown", True: "met", False: "missed"}[objective.is_met]


def _after(report: Report, step: StepTime) -> str:
    return "–" if step.started is None else duration(step.started - report.started)


def _took(step: StepTime) -> str:
    return "–" if step.started is None or step.ended is None else duration(step.ended - step.started)


def _expected(step: StepTime) -> str:
    return duration(planned(step.name).expected_seconds)


def _timeline(report: Report) -> str:
    """Bars from the left, one row for each step; the axis ends with the last of them."""
    known = [time for step in report.steps for time in (step.started, step.ended) if time is not None]
    seconds = max([*known, report.ended or report.started], default=report.started) - report.started or 1.0
    width, left, right, row = 900, 220, 200, 30
    scale = (width - left - right) / seconds
    rows = []
    for number, step in enumerate(report.steps):
        y = number * row
        rows.append(f'<text x="{left - 12}" y="{y + 19}" class="name">{html.escape(step.name)}</text>')
        if step.started is None or step.status == "skipped":
            rows.append(f'<text x="{left}" y="{y + 19}" class="time">{html.escape(step.status)}</text>')
            continue
        x = left + (step.started - report.started) * scale
        end = step.ended if step.ended is not None else report.started + seconds
        length = max((end - step.started) * scale, 3)
        label = f"{_took(step)} of {_expected(step)}"
        rows.append(
            f'<rect x="{x:.1f}" y="{y + 6}" width="{length:.1f}" height="18" rx="3" class="{step.status}"/>'
            f'<text x="{x + length + 8:.1f}" y="{y + 19}" class="time">{label}</text>'
        )
    height = len(report.steps) * row
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="Steps over time">{"".join(rows)}</svg>'
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }}
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; margin-bottom: 0; }} h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
p {{ margin-top: .2rem; opacity: .75; }}
table {{ border-collapse: collapse; }} th {{ text-align: left; font-weight: 500; }}
th, td {{ padding: .3rem 1.2rem .3rem 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }}
.met td:last-child {{ color: #18794e; }} .missed td:last-child {{ color: #cd2b31; font-weight: 600; }}
svg {{ width: 100%; }} svg text {{ font-size: 13px; fill: currentColor; }} svg .name {{ text-anchor: end; }}
svg .time {{ opacity: .7; }}
rect {{ fill: #3e63dd; }} rect.failed, rect.canceled {{ fill: #cd2b31; }}
rect.running {{ fill: #8da4ef; }}
</style></head><body>
<h1>{title}</h1><p>{subtitle}</p>
{reason}<table>{objectives}</table>
{timeline}
{measures}{notes}
</body></html>
"""
