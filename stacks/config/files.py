"""Where the files of config/ are; it loads nothing that reads them."""

from pathlib import Path

CONFIG_DIRECTORY = Path(__file__).resolve().parents[2] / "config"


def environment_names(directory: Path = CONFIG_DIRECTORY) -> list[str]:
    """Name the environments that have a file, sorted."""
    return sorted(file.stem for file in directory.glob("*.yaml"))
