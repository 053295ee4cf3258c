"""The state folder: made by `up`, removed by `down`, never mistaken for a folder of the user's."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from local.options import STATE_VARIABLE, Options
from local.processes import stop_recorded

_MARKER = "made-by-gatehouse-local"


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(candidate for candidate in (folder, *folder.parents) if candidate.exists())


def own_record(options: Options) -> Path:
    """The record of the `up` process itself."""
    return options.run / "up.json"


def state_problems(options: Options) -> Iterator[str]:
    """Whether the state folder is somebody else's: `down` would remove it with all its content."""
    if options.state.exists() and any(options.state.iterdir()) and not (options.state / _MARKER).exists():
        yield f"{options.state} holds something else; set {STATE_VARIABLE} to a new or empty folder"


def make_state(options: Options) -> None:
    """Make the state folder and what every process expects in it."""
    for folder in (options.state, options.logs, options.run):
        folder.mkdir(parents=True, exist_ok=True)
    options.state.chmod(0o755)  # root's PostgreSQL runs as nobody and has its folder below
    (options.state / _MARKER).touch()


def down(options: Options) -> list[str]:
    """Stop what runs, after a crash too, and remove the state folder; returns the names of what stopped."""
    own = own_record(options)
    records = [own, *sorted(path for path in options.run.glob("*.json") if path != own)]
    stopped = [path.stem for path in records if stop_recorded(path)]
    if (options.state / _MARKER).exists():
        shutil.rmtree(options.state)
    return stopped
