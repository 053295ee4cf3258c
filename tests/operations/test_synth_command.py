"""gatehouse synth: the table and the exit codes; tests/stacks/test_synthesis.py has what is written."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from operations import assemblies, synthesis
from operations.assemblies import Written
from stacks.config.files import environment_names
from tests.operations.conftest import Run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, synthesized: Callable[[str], Path]) -> list[Sequence[str]]:
    """What was to be written; each environment gets dev's assembly, and staging's may not be deployed."""
    asked: list[Sequence[str]] = []

    def write(environments: Sequence[str], _output: Path) -> Iterator[Written]:
        asked.append(environments)
        for name in reversed(environments):
            problem = "ValidationFailed: read the report" if name == "staging" else None
            yield Written(name, synthesized("dev"), 12.34, problem=problem)

    monkeypatch.setattr(assemblies, "write_assemblies", write)
    return asked


def test_a_finding_is_exit_code_1(run: Run, asked: list[Sequence[str]]) -> None:
    shown = run("synth", "dev", "staging", "dev")
    assert shown.exit_code == 1
    assert asked == [["dev", "staging"]]
    assert "staging: ValidationFailed: read the report" in shown.stderr
    dev, staging = shown.stdout.splitlines()[2:]
    assert dev.split()[:3] == ["dev", "ok", "10"]
    assert staging.split()[:3] == ["staging", "failed", "10"]


def test_all_environments_are_written_where_none_is_named(run: Run, asked: list[Sequence[str]]) -> None:
    run("synth")
    assert asked == [environment_names()]


def test_the_time_of_each_is_told_when_it_is_done(run: Run, asked: list[Sequence[str]]) -> None:
    shown = run("synth", "dev")
    assert shown.exit_code == 0, shown.stderr
    assert shown.stderr.splitlines()[-1] == "dev: 12.3 s"


def test_the_cdk_s_node_js_reads_its_flags_from_a_folder_with_a_space_in_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesis, "ROOT", tmp_path / "a folder")
    synthesis.ROOT.mkdir()
    (synthesis.ROOT / "node_flags.cjs").write_text("process.stdout.write('read')", encoding="utf-8")
    environment = synthesis.node_environment()
    node = environment["JSII_NODE"]
    ran = subprocess.run(
        [node, "--eval", ""], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "read"
