"""Snapshots show every change of a template; `pytest tests/stacks --update-snapshots` accepts it."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

SNAPSHOTS = Path(__file__).parent / "snapshots"
ASSET_HASH = re.compile(r"\b[0-9a-f]{64}\b")
# In names of what holds an asset's: every change of the gateway's code is another one.
NAME_HASH = re.compile(r"(?<=Manifest)[0-9a-f]{8}\b|(?<=migrations-)[0-9a-f]{10}\b")


def test_templates_are_as_recorded(assembly: "Assembly", request: pytest.FixtureRequest) -> None:
    folder = SNAPSHOTS / assembly.environment
    current = {f"{stack}.json": _text(template) for stack, template in assembly.templates.items()}
    if request.config.getoption("--update-snapshots", default=False):
        folder.mkdir(parents=True, exist_ok=True)
        for stale in {path.name for path in folder.iterdir()} - current.keys():
            (folder / stale).unlink()
        for name, text in current.items():
            (folder / name).write_text(text, encoding="utf-8")
    recorded = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    assert current == recorded


def _text(template: dict[str, Any]) -> str:
    numbers: dict[str, str] = {}
    text = ASSET_HASH.sub("ASSET-HASH", json.dumps(template))
    text = NAME_HASH.sub(lambda found: numbers.setdefault(found[0], f"-HASH-{len(numbers) + 1}"), text)
    return json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
