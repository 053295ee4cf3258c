"""A synthesis is skipped only when it would write what already lies there."""

from pathlib import Path

import pytest

from local import synthesis
from local.options import PORT_VARIABLES, Options
from local.state import make_state


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two files whose synthesis copies one of them."""
    monkeypatch.setattr(synthesis, "ROOT", tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "dev.yaml").write_text("nat: one")
    source = tmp_path / "app.py"
    source.write_text("first")

    def synthesize(options: Options, _say: object) -> None:
        options.assembly.mkdir(parents=True, exist_ok=True)
        (options.assembly / "manifest.json").write_text(source.read_text())

    monkeypatch.setattr(synthesis, "synthesize", synthesize)
    return source


@pytest.fixture
def options(tmp_path: Path, source: Path) -> Options:
    options = Options(state=tmp_path / "state", ports={name: 0 for name in PORT_VARIABLES})
    make_state(options)
    assert synthesis.synthesize_if_changed(options, print)
    return options


def test_nothing_changed(options: Options) -> None:
    assert not synthesis.synthesize_if_changed(options, print)


def test_an_input_changed(options: Options, source: Path) -> None:
    source.write_text("second")
    assert synthesis.synthesize_if_changed(options, print)
    assert (options.assembly / "manifest.json").read_text() == "second"
    assert not synthesis.synthesize_if_changed(options, print)


def test_an_input_came_moved_and_went(options: Options, source: Path) -> None:
    added = source.parent / "config" / "added.yaml"
    added.write_text("nat: none")
    assert synthesis.synthesize_if_changed(options, print)
    moved = added.rename(added.with_name("moved.yaml"))
    assert synthesis.synthesize_if_changed(options, print)
    moved.unlink()
    assert synthesis.synthesize_if_changed(options, print)


def test_somebody_else_wrote_the_assembly(options: Options) -> None:
    (options.assembly / "manifest.json").write_text("of another branch")
    assert synthesis.synthesize_if_changed(options, print)
    assert (options.assembly / "manifest.json").read_text() == "first"


def test_an_input_changed_while_it_was_synthesized(
    options: Options, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def synthesize(_options: Options, _say: object) -> None:
        source.write_text("while it ran")

    source.write_text("second")
    monkeypatch.setattr(synthesis, "synthesize", synthesize)
    assert synthesis.synthesize_if_changed(options, print)
    assert synthesis.synthesize_if_changed(options, print)
