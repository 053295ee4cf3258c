"""Turns an execution into a report and keeps it: in a folder, and in a region's object store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatehouse import names
from gatehouse.recovery.steps import APPROVE, AWAIT_REPLICA, FENCE
from operations.recovery.execution import GRACEFUL, UNGRACEFUL, Execution
from operations.recovery.notes import Note
from operations.recovery.parallel import NoAnswer, ask
from operations.recovery.places import Places
from operations.recovery.reach import ANSWER_SECONDS, Aws
from operations.recovery.report import Objective, Report, as_html, as_json, as_markdown
from operations.recovery.words import compact

# In the standby's bucket, whose name is known without asking; from there they cross as all objects do.
PREFIX = "reports/gatehouse/"
_FORMS = (
    ("json", as_json, "application/json"),
    ("md", as_markdown, "text/markdown; charset=utf-8"),
    ("html", as_html, "text/html; charset=utf-8"),
)


def report_of(places: Places, execution: Execution, note: Note | None) -> Report:
    """What an execution did, measured against the objectives. note: what it began with, if that is known."""
    action = note.action if note is not None else "failover"
    to_region = execution.region
    return Report(
        environment=places.environment,
        action=action,
        from_region=places.other(to_region),
        to_region=to_region,
        mode="lossless" if execution.mode == GRACEFUL else "forced",
        execution_id=execution.id,
        outcome=execution.outcome,
        started=execution.started,
        ended=execution.ended,
        recovery_time=Objective(allowed=places.recovery_time_seconds, measured=_recovery_seconds(execution)),
        recovery_point=Objective(
            allowed=places.recovery_point_seconds, measured=_lost_seconds(execution, note)
        ),
        steps=execution.steps,
        reason=note.reason if note is not None else execution.comment,
    )


def keep(aws: Aws, places: Places, report: Report, folder: Path) -> tuple[Path, str | None]:
    """Write a report; the page for people, and why the object store did not take it, if so.

    Raises OSError once the object store was asked, if the folder cannot be written.
    """
    name = f"{compact(report.started)}-{report.action}-{report.execution_id.rpartition('/')[2]}"
    written = {f"{name}.{ending}": (write(report), kind) for ending, write, kind in _FORMS}
    answer = ask({"put": lambda: _put(aws, places, written)}, seconds=ANSWER_SECONDS)["put"]
    folder.mkdir(parents=True, exist_ok=True)
    for file, (text, _) in written.items():
        (folder / file).write_text(text, encoding="utf-8")
    return folder / f"{name}.html", answer.reason if isinstance(answer, NoAnswer) else None


def last_drill(aws: Aws, places: Places) -> Mapping[str, Any] | None:
    """The newest report of a drill in the object store; None if there is none."""
    client, bucket = aws.client("s3", places.standby), _bucket(places)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX)
    drills = [
        entry["Key"]
        for page in pages
        for entry in page.get("Contents", ())
        if "-drill-" in entry["Key"] and entry["Key"].endswith(".json")
    ]
    if not drills:
        return None
    report: Mapping[str, Any] = json.load(client.get_object(Bucket=bucket, Key=max(drills))["Body"])
    return report


def _put(aws: Aws, places: Places, written: Mapping[str, tuple[str, str]]) -> None:
    client = aws.client("s3", places.standby)
    for file, (text, kind) in written.items():
        client.put_object(
            Bucket=_bucket(places),
            Key=PREFIX + file,
            Body=text.encode(),
            ContentType=kind,
        )


def _bucket(places: Places) -> str:
    return names.object_store(places.environment, places.account, places.standby)


def _recovery_seconds(execution: Execution) -> float | None:
    """From the decision until all is served; an approval is a part of the decision."""
    if execution.action != "activate" or not execution.is_done:
        return None
    ended = {step.name: step.ended for step in execution.steps if step.ended is not None}
    # Region switch may go on to watch alarms when all is served.
    last = execution.ended or max(ended.values(), default=None)
    return None if last is None else last - ended.get(APPROVE.name, execution.started)


def _lost_seconds(execution: Execution, note: Note | None) -> float | None:
    """Nothing where the replica was waited for after the old region had been fenced, else what it lacked."""
    done = {step.name for step in execution.steps if step.status == "completed" and step.mode != UNGRACEFUL}
    if {FENCE.name, AWAIT_REPLICA.name} <= done and execution.mode == GRACEFUL:
        return 0.0
    return None if note is None else note.behind_seconds
