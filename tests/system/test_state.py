"""The state folder is the platform's own, or it is left alone."""

from pathlib import Path

from local.options import PORT_VARIABLES, STATE_VARIABLE, Options
from local.state import down, make_state, state_problems


def _options(state: Path) -> Options:
    return Options(state=state, ports={name: 0 for name in PORT_VARIABLES})


def test_a_folder_of_the_user_is_neither_used_nor_removed(tmp_path: Path) -> None:
    precious = tmp_path / "thesis.txt"
    precious.touch()
    (problem,) = state_problems(_options(tmp_path))
    assert problem == f"{tmp_path} holds something else; set {STATE_VARIABLE} to a new or empty folder"
    down(_options(tmp_path))
    assert precious.exists()


def test_down_removes_what_up_made(tmp_path: Path) -> None:
    options = _options(tmp_path / "state")
    assert list(state_problems(options)) == []
    make_state(options)
    assert list(state_problems(options)) == []
    assert down(options) == []
    assert not options.state.exists()


def test_down_twice_is_no_error(tmp_path: Path) -> None:
    options = _options(tmp_path / "state")
    assert [down(options), down(options)] == [[], []]
