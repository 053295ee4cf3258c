"""`python -m local.drill`: what it prints and how it ends."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.drill import __main__ as command
from local.drill.drill import BrokenOffError, Result
from local.drill.pages import write
from local.drill.scenario import Scenario
from operations.assembly import Stack
from tests.drills.figures import result_of

Command = Callable[..., int]


@pytest.fixture
def drilled() -> list[Mapping[str, Any]]:
    """The plans that were run."""
    return []


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, recovery_stack: Stack, drilled: list[Mapping[str, Any]]) -> Command:
    """The command, with drills that miss something, or are broken off."""

    @contextmanager
    def assembly_of(_environment: str, folder: Path | None) -> Iterator[Path]:
        yield folder or Path()

    def run_with(*arguments: str, missed: tuple[str, ...] = (), broken_off: tuple[int, ...] = ()) -> int:
        def drill(wanted: Scenario, plan: Mapping[str, Any], _say: object) -> Result:
            if wanted.seed in broken_off:
                raise BrokenOffError("nobody noticed <it>")
            drilled.append(plan)
            return result_of(wanted.seed, *missed)

        monkeypatch.setattr(command, "assembly_of", assembly_of)
        monkeypatch.setattr(command, "read_stacks", lambda _: {"Standby-Recovery": recovery_stack})
        monkeypatch.setattr(command, "run", drill)
        monkeypatch.setattr("sys.argv", ["drill", *arguments])
        return command.main()

    return run_with


def test_all_ten_faults_are_drilled_with_the_plan_of_the_environment(
    run: Command, drilled: list[Mapping[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    assert [plan["Name"] for plan in drilled] == ["gatehouse-prod"] * 10
    assert capsys.readouterr().out.count(" met ") == 10


def test_what_is_missed_is_told_and_makes_it_fail(run: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--seed", "3", "--seed", "13", "--json", missed=("1 keys do not work afterwards",)) == 1
    told = json.loads(capsys.readouterr().out)
    assert [(each["scenario"]["seed"], each["missed"]) for each in told] == [
        (3, ["1 keys do not work afterwards"]),
        (13, ["1 keys do not work afterwards"]),
    ]


def test_a_drill_that_is_broken_off_hides_none_of_the_others(
    run: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--seed", "2", "--seed", "3", "--report", str(tmp_path))
    assert run(*arguments, broken_off=(2,)) == 1
    told = "The drill of seed 2 was broken off: nobody noticed <it>"
    assert told in capsys.readouterr().err
    page = (tmp_path / "drills.html").read_text()
    assert "Something was missed" in page
    assert "nobody noticed &lt;it&gt;" in page
    assert told in (tmp_path / "drills.md").read_text()
    assert (tmp_path / "seed-3.html").exists()
    assert run("--seed", "2", broken_off=(2,)) == 2


def test_an_environment_that_cannot_be_read_is_not_drilled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["drill", "--assembly", str(tmp_path)])
    assert command.main() == 2
    assert "holds no cloud assembly" in " ".join(capsys.readouterr().err.split())


def test_a_page_over_all_drills_leads_to_each_and_marks_what_is_missed(tmp_path: Path) -> None:
    page = write(tmp_path, [result_of(0), result_of(1, "rows <lost>")]).read_text()
    assert "Something was missed" in page
    for seed in (0, 1):
        assert f"<a href='seed-{seed}.html'>{seed}</a>" in page
        assert (tmp_path / f"seed-{seed}.html").exists()
    assert "rows &lt;lost&gt;" in page
    assert "| rows <lost> |" in (tmp_path / "drills.md").read_text()
