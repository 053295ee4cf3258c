import json
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.config.check import check, main


def test_the_command_accepts_the_committed_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out == "ok\n"


def test_the_command_lists_problems_as_lines_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prod", "stagin"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" ")[0] for line in lines] == [
        "config/models/stagin.yaml:1:1:",
        "config/stagin.yaml:1:1:",
    ]
    assert main(["stagin", "--json"]) == 2
    problems = json.loads(capsys.readouterr().out)
    assert [(problem["file"], problem["fix"]) for problem in problems] == [
        ("config/models/stagin.yaml", "use staging"),
        ("config/stagin.yaml", "use staging"),
    ]


def test_a_check_goes_through_all_files_of_all_environments(config_directory: Path) -> None:
    for file in ("dev.yaml", "models/dev.yaml", "prod.yaml"):
        (config_directory / file).write_text("", encoding="utf-8")
    assert {problem.file for problem in check([], config_directory)} == {
        "config/dev.yaml",
        "config/models/dev.yaml",
        "config/prod.yaml",
    }


def test_the_module_runs() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "stacks.config.check", "dev"], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, "ok\n")
