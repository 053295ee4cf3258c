"""Synthesis: the same bytes each time, offline, and a clear end when the configuration is wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3
from cdk_nag import AwsSolutionsChecks

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


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """What `gatehouse synth` wrote and said of production's environments, and of one that does not exist."""
    folder = tmp_path_factory.mktemp("written")
    # Another order of hashing, another folder, no validation: none of it may show.
    run = subprocess.run(
        [
            *(sys.executable, "-m", "operations", "synth", "prod", "production", "prod-eks"),
            *("--output", str(folder), "--json"),
        ],
        cwd=ROOT,
        env={**os.environ, "CDK_VALIDATION": "false", "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return folder, run


def test_another_process_writes_the_same_bytes(
    production: "Assembly", written: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    folder, run = written
    again, first = _files(folder / production.environment), _files(production.directory)
    assert again.keys() == first.keys(), run.stderr
    assert [path for path in first if again[path] != first[path]] == []


def test_one_wrong_configuration_does_not_keep_the_others_from_being_written(
    written: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, run = written
    found: dict[str, Any] = {each["environment"]: each for each in json.loads(run.stdout)}
    assert run.returncode == 2
    assert list(found) == ["prod", "production", "prod-eks"]
    assert "config/production.yaml" in found["production"]["problem"]
    assert found["production"]["stacks"] is None
    for name in ("prod", "prod-eks"):
        assert found[name]["problem"] is None
        assert found[name]["stacks"] == 24
        assert found[name]["folder"] == str(folder / name)
    assert "Traceback" not in run.stderr


def test_a_finding_ends_the_synthesis_without_a_traceback_of_the_cdk(tmp_path: Path) -> None:
    stacks = cdk.App(outdir=str(tmp_path))
    s3.Bucket(cdk.Stack(stacks, "Stack"), "Bucket")
    cdk.Validations.of(stacks).add_plugins(AwsSolutionsChecks(stacks))
    with pytest.raises(app.FindingsError, match=r"AwsSolutions-S10[\s\S]*validation-report\.json"):
        app.write(stacks)


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
