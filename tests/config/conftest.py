from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from stacks.config.load import (
    CONFIG_DIRECTORY,
    ConfigError,
    load_catalog,
    load_configuration,
    load_environment,
)

Edit = tuple[str, str]


@pytest.fixture
def config_directory(tmp_path: Path) -> Path:
    """A copy of config/ that a test may change."""
    return Path(copytree(CONFIG_DIRECTORY, tmp_path / "config"))


@pytest.fixture
def problems_after(config_directory: Path) -> Callable[..., list[str]]:
    """Edit an environment's file (or its model catalog), load it and return the lines of its ConfigError.

    `both` loads the two files together, whichever is edited.
    """

    def load(name: str, *edits: Edit, catalog: bool = False, both: bool = False) -> list[str]:
        file = config_directory / ("models" if catalog else "") / f"{name}.yaml"
        text = file.read_text(encoding="utf-8")
        for old, new in edits:
            assert old in text
            text = text.replace(old, new, 1)
        file.write_text(text, encoding="utf-8")
        loader = load_configuration if both else load_catalog if catalog else load_environment
        with pytest.raises(ConfigError) as caught:
            loader(name, config_directory)
        return str(caught.value).splitlines()

    return load
