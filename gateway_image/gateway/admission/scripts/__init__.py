"""The scripts that run in the cache, where they decide and count in one step."""

from pathlib import Path

_FOLDER = Path(__file__).parent


def script(name: str) -> str:
    """A script's text, with what all of them share before it."""
    return f"{(_FOLDER / 'windows.lua').read_text()}\n{(_FOLDER / f'{name}.lua').read_text()}"
