import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from operations.output import bar
from tests.operations.conftest import KEY, PROJECT, AdminStandIn, Run, RunProcess

OnTerminal = Callable[..., str]


def _start(arguments: tuple[str, ...], variables: dict[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    """Run the command on a terminal of its own; returns what reads from and types on it."""
    terminal, its_side = pty.openpty()
    command = [sys.executable, "-m", "operations", *arguments]
    child = subprocess.Popen(
        command, env=variables, stdin=its_side, stdout=its_side, stderr=its_side, start_new_session=True
    )
    os.close(its_side)
    return child, terminal


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # nobody writes there any more
            return
        if not part:
            return
        yield part


@pytest.fixture
def on_terminal(environ: dict[str, str]) -> OnTerminal:
    """Run the command on a terminal of this width; returns what it shows there."""

    def on_terminal(*arguments: str, width: int, **variables: str) -> str:
        own = {**environ, "TERM": "xterm-256color", "COLUMNS": str(width), **variables}
        child, terminal = _start(arguments, own)
        shown = b"".join(_read(terminal)).decode()
        os.close(terminal)
        assert child.wait() == 0, shown
        return shown.replace("\r\n", "\n")

    return on_terminal


@pytest.fixture
def lists(admin: AdminStandIn) -> None:
    admin.pages_of("/projects", PROJECT)
    admin.pages_of("/keys", KEY)


@pytest.mark.usefixtures("lists")
def test_a_table_fits_its_terminal(admin: AdminStandIn, on_terminal: OnTerminal) -> None:
    admin.pages_of("/keys", {**KEY, "name": "nightly-evaluation"})
    narrow, wide = (on_terminal("keys", "list", width=width) for width in (80, 120))
    plain = re.compile(r"\x1b\[[0-9;]*m")
    for shown, width in ((narrow, 80), (wide, 120)):
        lines = plain.sub("", shown).splitlines()
        assert max(map(len, lines)) <= width
        assert KEY["id"] in shown
    assert "Begins" not in narrow
    assert "gh_Ab3dEf9h…" in wide


@pytest.mark.usefixtures("lists")
def test_colours_are_for_terminals_that_want_them(on_terminal: OnTerminal, run_process: RunProcess) -> None:
    assert "\x1b[32mactive" in on_terminal("keys", "list", width=100)
    assert "\x1b[32m" not in on_terminal("keys", "list", width=100, NO_COLOR="1")
    assert "\x1b" not in run_process("keys", "list").stdout


@pytest.mark.usefixtures("lists")
def test_a_pipe_gets_whole_lines(admin: AdminStandIn, run: Run) -> None:
    name = "a-name-that-is-longer-than-any-terminal-" * 5
    admin.pages_of("/keys", {**KEY, "name": name[:100]})
    assert any(name[:100] in line and KEY["id"] in line for line in run("keys", "list").stdout.splitlines())


def test_the_prompt_for_the_key_does_not_echo(
    admin: AdminStandIn, environ: dict[str, str], lists: None
) -> None:
    own = {name: value for name, value in environ.items() if name != "GATEHOUSE_KEY"}
    child, terminal = _start(("keys", "list", "--json"), own)
    shown = b""
    while b"Admin key" not in shown:
        shown += os.read(terminal, 1024)
    os.write(terminal, b"gh_typed-by-hand\n")
    shown += b"".join(_read(terminal))
    os.close(terminal)
    assert child.wait() == 0
    assert b"gh_typed-by-hand" not in shown
    assert KEY["id"].encode() in shown
    assert admin.asked[0].headers["authorization"] == "Bearer gh_typed-by-hand"


@pytest.mark.parametrize(
    ("share", "drawn"),
    [(0, ""), (1e-9, "▏"), (0.5, "█████"), (0.79, "███████▉"), (1, "█" * 10), (7, "█" * 10)],
)
def test_bars(share: float, drawn: str) -> None:
    assert str(bar(share)).rstrip() == drawn
    assert len(str(bar(share))) == 10
