"""Children are stopped for certain, strangers never."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.errors import LocalError
from local.options import PORT_VARIABLES, Options
from local.processes import Children, record, recorded_process, runs, stop_recorded, wait_until
from local.state import make_state
from local.up import stay_up

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def options(tmp_path: Path) -> Options:
    """Options of a platform that starts nothing by itself."""
    options = Options(state=tmp_path / "state", ports={name: 0 for name in PORT_VARIABLES})
    make_state(options)
    return options


@pytest.fixture
def stranger() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(SLEEP)
    yield process
    process.kill()
    process.wait()


def test_leaving_the_context_stops_every_child_and_its_children(options: Options) -> None:
    parent = f"import subprocess, sys, time; subprocess.Popen({SLEEP!r}); time.sleep(60)"
    with Children(options) as children:
        child = children.start("parent", [sys.executable, "-c", parent], {})
        family = [psutil.Process(child.process.pid)]
        while len(family) < 2:
            family = [family[0], *family[0].children()]
            time.sleep(0.01)
    assert not any(runs(process) for process in family)
    assert not child.record.exists()


def test_a_child_sees_only_the_variables_it_is_given(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    show = "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"
    with Children(options) as children:
        child = children.start("shown", [sys.executable, "-c", show], {"GIVEN": "1"})
        child.process.wait()
    assert child.log.read_text() == "['GIVEN']\n"


def test_a_record_is_no_licence_to_stop_a_stranger(
    options: Options, stranger: "subprocess.Popen[bytes]"
) -> None:
    path = options.run / "gateway.json"
    record(path, stranger.pid, signal.SIGTERM)
    written = json.loads(path.read_text())
    path.write_text(
        json.dumps({**written, "started": written["started"] - 3600})
    )  # its process ID was ours once

    assert recorded_process(path) is None
    assert stop_recorded(path) is False
    assert stranger.poll() is None
    assert not path.exists()


def test_a_record_of_a_process_that_ended_is_only_removed(options: Options) -> None:
    ended = subprocess.Popen(SLEEP)
    path = options.run / "gateway.json"
    record(path, ended.pid, signal.SIGTERM)
    ended.kill()
    ended.wait()
    assert stop_recorded(path) is False
    assert not path.exists()


def test_a_damaged_record_is_only_removed(options: Options) -> None:
    path = options.run / "gateway.json"
    path.write_text('{"pid": 1')
    assert stop_recorded(path) is False
    assert not path.exists()


def test_a_child_that_ends_early_is_named_with_its_last_lines(options: Options) -> None:
    fail = "print('first'); raise SystemExit('the database is gone')"
    with (
        Children(options) as children,
        pytest.raises(LocalError, match=r"gateway ended with exit code 1; (?s:.*)the database is gone"),
    ):
        wait_until(children.start("gateway", [sys.executable, "-c", fail], {}), lambda: False, 10)


def test_a_child_that_is_never_ready_is_named(options: Options) -> None:
    with Children(options) as children, pytest.raises(LocalError, match=r"gateway is not ready after 0\.1 s"):
        wait_until(children.start("gateway", SLEEP, {}), lambda: False, 0.1)


def test_staying_up_ends_when_a_child_dies(options: Options) -> None:
    with Children(options) as children:
        children.start("valkey", SLEEP, {}).process.kill()
        with pytest.raises(LocalError, match="valkey ended with exit code -9"):
            stay_up(children)
