"""Synthesized environments, shared by all tests of a run."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLAGS = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]


@pytest.fixture(scope="session")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give an environment's cloud assembly by name: synthesized once, with validation and all rule packs."""
    import app

    @cache
    def synthesize(environment: str) -> Path:
        # Findings are asserted by a test of their own: the others still run when there are some.
        context = FLAGS | {"environment": environment, "@aws-cdk/core:failSynthOnValidationErrors": False}
        folder = tmp_path_factory.mktemp(environment)
        app.build(context=context, outdir=str(folder)).synth()
        return folder

    return synthesize
