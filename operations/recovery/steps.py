"""The steps of an execution as people are shown them: in the plan's order, with what each should take."""

from collections.abc import Iterator
from dataclasses import dataclass

from gatehouse.recovery.steps import ACTIVATE, PROTECT, Part, Together, each_step


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A step before it runs. expected_seconds: None for one that the table of steps does not know.

    is_inner: whether it runs beside others, as a part of another step.
    """

    name: str
    does: str = ""
    expected_seconds: int | None = None
    is_inner: bool = False


def planned(name: str) -> Planned:
    """What is known of a step by its name."""
    return _KNOWN.get(name, Planned(name=name))


def upcoming(action: str, *, forced: bool, has_approval: bool) -> Iterator[Planned]:
    """The steps that an execution will run, in order."""
    for step in each_step(PROTECT if action == "postRecovery" else ACTIVATE):
        if step.name == "approve" and not has_approval:
            continue
        if forced and step.forced_skips:
            continue
        yield planned(step.name)


def _planned(part: Part) -> Iterator[Planned]:
    if isinstance(part, Together):
        yield Planned(
            name=part.name,
            does=f"{len(part.steps)} steps at the same time",
            expected_seconds=max(step.expected_seconds for step in part.steps),
        )
    for step in each_step([part]):
        yield Planned(
            name=step.name,
            does=step.does,
            expected_seconds=step.expected_seconds,
            is_inner=isinstance(part, Together),
        )


_KNOWN = {step.name: step for part in (*ACTIVATE, *PROTECT) for step in _planned(part)}
