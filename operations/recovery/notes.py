"""What an execution is for, told in its comment: any machine that finds it can go on with it."""

import re
from dataclasses import dataclass
from typing import cast, get_args

from operations.recovery.report import Action

_NOTE = re.compile(
    rf"(?P<action>{'|'.join(get_args(Action))})(?: (?P<drill>\d{{8}}T\d{{6}}Z))?"
    r"(?:, replica (?P<behind>\d+(?:\.\d+)?) s behind)?(?:: (?P<reason>.*))?",
    re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Note:
    """action: what was asked for. drill: the moment at which a drill of several executions began.

    behind_seconds: how far the replica was behind when it began; None where that was unknown or is of no
    matter. reason: for people.
    """

    action: Action
    drill: str | None = None
    behind_seconds: float | None = None
    reason: str = ""

    def __str__(self) -> str:
        drill = f" {self.drill}" if self.drill else ""
        behind = "" if self.behind_seconds is None else f", replica {self.behind_seconds:.1f} s behind"
        return f"{self.action}{drill}{behind}" + (f": {self.reason}" if self.reason else "")


def read_note(comment: str) -> Note | None:
    """The note in a comment; None for one that somebody else wrote."""
    found = _NOTE.fullmatch(comment)
    if found is None:
        return None
    behind = found["behind"]
    return Note(
        action=cast("Action", found["action"]),
        drill=found["drill"],
        behind_seconds=None if behind is None else float(behind),
        reason=found["reason"] or "",
    )
