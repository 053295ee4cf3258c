"""An execution as it runs: a table that is drawn anew on a terminal, a line for each change anywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from operations.recovery.execution import Execution
from operations.recovery.reach import said
from operations.recovery.report import StepTime
from operations.recovery.steps import planned
from operations.recovery.words import duration
from operations.text import clean

_MARKS = {
    "notStarted": ("·", "dim"),
    "running": ("▶", "cyan"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "canceled": ("✗", "red"),
    "skipped": ("»", "yellow"),
    "pendingApproval": ("?", "yellow"),
}
_STATES = {
    "pausedByFailedStep": "paused: a step failed",
    "pausedByOperator": "paused by somebody",
    "pendingManualApproval": "waits for an approval",
    "inProgress": "running",
}
# Of looks in a row, a minute with a region that hangs.
MOST_SILENCES = 5
# Columns are not made narrower than that: 'scale-gateways' within another step, and '59 min 59 s'.
_LONGEST_NAME, _LONGEST_TIME = 18, 11


class Display:
    """Where an execution is shown; on stderr, as stdout is for what programs read.

    again: the command line that watches it again.
    """

    def __init__(self, *, objective_seconds: float, again: str, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._objective_seconds = objective_seconds
        self._live: Live | None = None
        self._said: dict[str, str] = {}
        self._again = again
        self._silences = 0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw while the execution is watched; what was drawn last stays."""
        if not self._console.is_terminal:
            yield
            return
        try:
            with Live(console=self._console, auto_refresh=False) as self._live:
                yield
        finally:
            self._live = None

    def show(self, execution: Execution) -> None:
        """How far it is now."""
        self._silences = 0
        if self._live is not None:
            self._live.update(self._drawn(execution), refresh=True)
            return
        for step in execution.steps:
            told = f"{step.status}: {step.error}" if step.error and _is_stuck(step) else step.status
            if step.status != "notStarted" and self._said.get(step.name) != told:
                self._said[step.name] = told
                self.say(f"{_clock(execution)} {step.name} {told}{_took(step)}")
        if self._said.get("") != execution.state:
            self._said[""] = execution.state
            self.say(f"{_clock(execution)} the plan is {_state(execution)}")

    def silent(self, error: Exception) -> None:
        """AWS did not say how far it is; told at first, and with what can be done when it goes on so."""
        self._silences += 1
        if self._silences == 1:
            self.say(f"Region switch does not say how far it is ({said(error)}); asking again")
        elif self._silences == MOST_SILENCES:
            self.say(
                f"Region switch has not answered {MOST_SILENCES} times in a row; asking on. Whether its "
                "region is lost: gatehouse status. Ctrl-C stops nothing but this command: the execution goes "
                f"on where it runs, and is watched again with: {self._again}"
            )

    def say(self, text: str) -> None:
        """A line of its own."""
        self._console.print(clean(text), soft_wrap=True)

    def _drawn(self, execution: Execution) -> Group:
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        until = execution.ended or time.time()
        table.add_column(no_wrap=True)
        table.add_column(min_width=_LONGEST_NAME, no_wrap=True)
        for _ in ("took", "expected"):
            table.add_column(min_width=_LONGEST_TIME, no_wrap=True, justify="right")
        table.add_column(overflow="ellipsis", no_wrap=True, ratio=1)
        table.add_row("", "step", "took", "expected", "", style="dim")
        for step in execution.steps:
            table.add_row(*_row(step, until))
        took, allowed = duration(until - execution.started), duration(self._objective_seconds)
        return Group(table, Text(f"{_state(execution)} · {took} of {allowed} allowed", style="bold"))


def _row(step: StepTime, until: float) -> list[Text | str]:
    mark, style = _MARKS.get(step.status, ("·", "dim"))
    known = planned(step.name)
    name = f"{'  ' if known.is_inner else ''}{clean(step.name)}"
    elapsed = None if step.started is None else (step.ended or until) - step.started
    return [
        Text(mark, style=style),
        Text(name, style="bold" if step.status == "running" else ""),
        "" if elapsed is None else duration(elapsed),
        "" if known.expected_seconds is None else duration(known.expected_seconds),
        Text(clean(step.error), style="red") if step.error and _is_stuck(step) else Text(known.does),
    ]


def _is_stuck(step: StepTime) -> bool:
    return step.status in ("failed", "running", "canceled")


def _took(step: StepTime) -> str:
    return "" if step.started is None or step.ended is None else f", {duration(step.ended - step.started)}"


def _clock(execution: Execution) -> str:
    seconds = int((execution.ended or time.time()) - execution.started)
    return f"{seconds // 60:02}:{seconds % 60:02}"


def _state(execution: Execution) -> str:
    if execution.outcome != "running":
        return execution.outcome
    return _STATES.get(execution.state, execution.state)
