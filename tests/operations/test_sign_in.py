import json
import shlex
import sys
from pathlib import Path

import pytest

from operations.errors import WrongUsageError
from operations.profile import Connection
from operations.sign_in import key_of

KEY = "gh_abc"


def _connection(
    *,
    key_file: Path | None = None,
    environment: str | None = None,
    prints: str | None = None,
    key_name: str | None = None,
) -> Connection:
    command = (sys.executable, "-c", f"print({prints!r})")
    return Connection(
        endpoint="https://api.example.com",
        timeout_seconds=1,
        ca_file=None,
        key_file=key_file,
        key_from_environment=environment,
        key_command=command if prints is not None else None,
        key_name=key_name,
    )


def test_the_key_comes_from_the_first_source_there_is(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("of-the-file\n")
    assert key_of(_connection(key_file=file, environment="of-the-variable", prints="x")) == "of-the-file"
    assert key_of(_connection(environment="of-the-variable", prints="x")) == "of-the-variable"
    assert key_of(_connection(prints="of-the-command")) == "of-the-command"


@pytest.mark.parametrize(
    ("prints", "name"),
    [
        (KEY, None),
        (json.dumps({"admin": KEY}), None),
        (json.dumps({"admin": KEY, "other": "another"}), "admin"),
        (json.dumps({"admin": {"key": KEY, "priority": "high"}, "other": "another"}), "admin"),
        (json.dumps(f"{KEY}"), "quoted"),
    ],
)
def test_a_key_is_picked_from_a_secret_of_several(prints: str, name: str | None) -> None:
    assert key_of(_connection(prints=prints, key_name=name)).strip('"') == KEY


@pytest.mark.parametrize("prints", ["", "two words", "caf\u00e9", "line\nbreak"])
def test_what_is_no_key_is_not_sent(prints: str) -> None:
    with pytest.raises(WrongUsageError, match="holds no key") as raised:
        key_of(_connection(prints=prints))
    assert not prints or prints not in str(raised.value)


def test_what_a_key_command_printed_is_never_shown() -> None:
    several = json.dumps({"one": "secret-1", "two": "secret-2"})
    for name, said in ((None, "several keys"), ("three", "no key of the name 'three'")):
        with pytest.raises(WrongUsageError, match=said) as raised:
            key_of(_connection(prints=several, key_name=name))
        assert "secret-" not in str(raised.value)


def test_a_key_command_that_fails_says_so() -> None:
    broken = _connection(prints="")
    object.__setattr__(broken, "key_command", (sys.executable, "-c", "print('secret'); raise SystemExit(3)"))
    with pytest.raises(WrongUsageError, match="ended with exit code 3") as raised:
        key_of(broken)
    assert "secret" not in str(raised.value)
    object.__setattr__(broken, "key_command", ("/no/such/program",))
    with pytest.raises(WrongUsageError, match="does not start"):
        key_of(broken)
    object.__setattr__(broken, "key_command", (sys.executable, "-c", "import time; time.sleep(60)"))
    with pytest.raises(WrongUsageError, match="took more than"):
        key_of(broken, command_seconds=0.2)


def test_a_key_command_runs_without_a_shell(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    command = shlex.split(f"echo $(touch {trap})")
    connection = _connection(prints="")
    object.__setattr__(connection, "key_command", tuple(command))
    with pytest.raises(WrongUsageError):
        key_of(connection)
    assert not trap.exists()


def test_a_missing_key_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(WrongUsageError, match="cannot be read: No such file"):
        key_of(_connection(key_file=tmp_path / "none"))


def test_without_a_source_and_a_terminal_there_is_no_key() -> None:
    with pytest.raises(WrongUsageError, match="GATEHOUSE_KEY"):
        key_of(_connection())
