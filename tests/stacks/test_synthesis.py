"""Synthesis: the same bytes each time, offline, and a clear end when the configuration is wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import app

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

ROOT = Path(__file__).resolve().parents[2]
# Written by the rule packs only.
REPORT = Path("validation-report.json")


def _run_app(environment: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    return subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={
            **os.environ,
            "CDK_CONTEXT_JSON": json.dumps(context | {"environment": environment}),
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _files(directory: Path) -> dict[Path, bytes]:
    return {
        path.relative_to(directory): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.relative_to(directory) != REPORT
    }


def test_another_process_writes_the_same_bytes(production: "Assembly", tmp_path: Path) -> None:
    # Another order of hashing, another folder, no validation: none of it may show.
    run = _run_app(
        production.environment,
        {"CDK_OUTDIR": str(tmp_path), "CDK_VALIDATION": "false", "PYTHONHASHSEED": "1"},
    )
    assert run.returncode == 0, run.stderr
    again, first = _files(tmp_path), _files(production.directory)
    assert again.keys() == first.keys()
    assert [path for path in first if again[path] != first[path]] == []


def test_nothing_is_looked_up(assembly: "Assembly") -> None:
    for manifest in assembly.directory.rglob("manifest.json"):
        assert "missing" not in json.loads(manifest.read_text(encoding="utf-8")), manifest


@pytest.mark.parametrize(
    ("environment", "standby", "problem"),
    [
        ("prod", "on", "standby is on; allowed: active"),
        ("dev", "active", "standby is active, but config/dev.yaml has none"),
    ],
)
def test_a_standby_is_made_active_where_there_is_one_and_in_no_other_word(
    environment: str, standby: str, problem: str
) -> None:
    with pytest.raises(app.ContextError, match=problem):
        app.build(context={"environment": environment, "standby": standby})


def test_an_unknown_environment_ends_with_the_known_ones_and_no_traceback(tmp_path: Path) -> None:
    run = _run_app("production", {"CDK_OUTDIR": str(tmp_path)})
    assert run.returncode == 2
    for expected in ("config/production.yaml", "does not exist", "dev, prod, prod-eks, staging"):
        assert expected in run.stderr
    assert "Traceback" not in run.stderr
