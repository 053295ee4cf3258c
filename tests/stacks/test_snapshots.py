"""Snapshots show every change of a template; `pytest tests/stacks --update-snapshots` accepts it."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

SNAPSHOTS = Path(__file__).parent / "snapshots"
ASSET_HASH = re.compile(r"\b[0-9a-f]{64}\b")


def test_templates_are_as_recorded(assembly: "Assembly", request: pytest.FixtureRequest) -> None:
    folder = SNAPSHOTS / assembly.environment
    current = {
        f"{stack}.json": ASSET_HASH.sub("ASSET-HASH", json.dumps(template, indent=2, sort_keys=True)) + "\n"
        for stack, template in assembly.templates.items()
    }
    if request.config.getoption("--update-snapshots", default=False):
        folder.mkdir(parents=True, exist_ok=True)
        for stale in {path.name for path in folder.iterdir()} - current.keys():
            (folder / stale).unlink()
        for name, text in current.items():
            (folder / name).write_text(text, encoding="utf-8")
    recorded = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    assert current == recorded
