"""Two regions for the recovery commands, and the commands."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result

from operations.recovery import drills, execution, reach
from stacks.config import load
from tests.operations.conftest import Run
from tests.operations.recovery.world import Server, World

Command = Callable[..., Result]


def done(result: Result) -> dict[str, Any]:
    """The report of a command that has done what it was for."""
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def world(request: pytest.FixtureRequest, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """What the commands of this process reach; parametrized with True, its plan needs an approval."""
    world = server.begin(approval=getattr(request, "param", False))
    monkeypatch.setattr(reach, "boto3", SimpleNamespace(Session=lambda: server))
    monkeypatch.setattr("operations.recovery.situation.health", world.health)
    monkeypatch.setattr(execution, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(drills, "READY_SECONDS", 0.01)
    yield world
    server.end()


@pytest.fixture
def command(run: Run, tmp_path: Path) -> Command:
    """Run a command for prod; its reports go to tmp_path/reports."""

    def command(name: str, *arguments: str, input: str | None = None) -> Result:
        reports = str(tmp_path / "reports")
        return run(name, "--environment", "prod", "--report", reports, *arguments, input=input)

    return command


@pytest.fixture
def failover(command: Command) -> Command:
    """Fail over to the standby without a question."""

    def failover(*arguments: str, input: str | None = None) -> Result:
        return command("failover", "--to", "us-west-2", "--yes", *arguments, input=input)

    return failover


@pytest.fixture
def cold_standby(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let prod have a cold standby."""
    folder = Path(copytree(load.CONFIG_DIRECTORY, tmp_path / "config"))
    file = folder / "prod.yaml"
    cold = "mode: cold\n  recovery_time_minutes: 60"
    file.write_text(file.read_text(encoding="utf-8").replace("mode: warm", cold), encoding="utf-8")
    monkeypatch.setattr(load, "CONFIG_DIRECTORY", folder)
