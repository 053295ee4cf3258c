"""Shows what runs: a spinner with seconds and the latest line in a terminal, plain lines anywhere else."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress as Spinner
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step that is done."""

    name: str
    seconds: float


class Progress:
    """The steps done so far, and the one that runs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.steps: list[Step] = []

    @contextmanager
    def step(self, name: str) -> Iterator[Say]:
        """Show and time a step; yields what to call with each line of news."""
        started = time.monotonic()
        with self._shown(name) as say:
            yield say
        done = Step(name=name, seconds=round(time.monotonic() - started, 1))
        self.steps.append(done)
        self._console.print(f"[green]✓[/] {name} [dim]{done.seconds:.1f} s[/]")

    @contextmanager
    def _shown(self, name: str) -> Iterator[Say]:
        if not self._console.is_terminal:
            self._console.print(f"… {name}")
            yield lambda _line: None
            return
        columns = (
            SpinnerColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            TextColumn("{task.fields[news]}", style="dim", markup=False),
        )
        room = (
            self._console.width - len(name) - 14
        )  # one line: the spinner and the seconds stand before the name
        with Spinner(*columns, console=self._console, transient=True) as spinner:
            task = spinner.add_task(name, total=None, news="")
            yield lambda line: spinner.update(task, news=line[: max(room, 0)])
