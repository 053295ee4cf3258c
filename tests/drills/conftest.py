"""The plan that the drill runs: the one of prod, as its template is recorded."""

import json
from pathlib import Path

import pytest

from operations.assembly import Stack
from tests.drills.templates import stack_of

_TEMPLATE = Path(__file__).resolve().parents[1] / "stacks/snapshots/prod/Standby-Recovery.json"


@pytest.fixture(scope="session")
def recovery_stack() -> Stack:
    return stack_of(json.loads(_TEMPLATE.read_text(encoding="utf-8"))["Resources"])
