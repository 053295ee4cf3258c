"""The folder constructs/ must never shadow the PyPI package of that name."""

import importlib.util
from pathlib import Path

import constructs

ROOT = Path(__file__).resolve().parent.parent


def test_the_pypi_package_wins() -> None:
    assert constructs.__file__ is not None
    assert ROOT / "constructs" not in Path(constructs.__file__).parents


def test_the_folder_is_only_a_source_root() -> None:
    stray = [path.name for path in (ROOT / "constructs").glob("*.py")]
    assert stray == [], f"move into constructs/gatehouse/: {stray}"


def test_the_building_blocks_resolve_to_the_folder() -> None:
    spec = importlib.util.find_spec("gatehouse")
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).parent == ROOT / "constructs" / "gatehouse"
