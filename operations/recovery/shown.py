"""A report on a terminal; its steps have been shown while they ran."""

from operations.output import Shown, fields, note, together
from operations.recovery.report import Objective, Report
from operations.recovery.words import duration, moment


def drawn(report: Report) -> Shown:
    """What it did, against the objectives."""
    where = f"{report.environment}: {report.from_region} to {report.to_region}"
    findings = "Findings:\n" + "\n".join(f"  {each}" for each in report.findings)
    return together(
        fields(
            [
                (report.action.capitalize(), where),
                ("Outcome", f"{report.outcome}, {report.mode}"),
                ("Began", moment(report.started)),
                ("Recovery time", _against(report.recovery_time)),
                ("Recovery point", _against(report.recovery_point)),
                *((name, str(value)) for name, value in report.measures.items()),
            ]
        ),
        note(findings) if report.findings else None,
    )


def _against(objective: Objective) -> str:
    measured = "not measured" if objective.measured is None else duration(objective.measured)
    return f"{measured}, {duration(objective.allowed)} allowed"
