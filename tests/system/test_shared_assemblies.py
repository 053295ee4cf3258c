"""Tests share an assembly as long as it is what a synthesis would write now."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import synthesis

Give = Callable[[], Path]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one source of a project whose synthesis copies it."""
    source = tmp_path / "app.py"
    source.write_text("first")

    def synthesize(_environment: str, folder: Path) -> None:
        (folder / "template").write_text(source.read_text())

    monkeypatch.setattr(synthesis, "ROOT", tmp_path)
    monkeypatch.setattr(synthesis, "_SHARED", tmp_path / "shared")
    monkeypatch.setattr(synthesis, "_synthesize", synthesize)
    return source


@pytest.fixture
def give(source: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Give:
    """Give the assembly, as a process does that began with the sources as they were when it was made."""
    _begin_again(monkeypatch)
    return lambda: synthesis.assembly_of("dev", lambda: tmp_path_factory.mktemp("own"))


def _begin_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process gives from now on is what one gives that begins now."""
    monkeypatch.setattr(synthesis, "_AT_START", synthesis._sources())


def test_it_is_synthesized_once(give: Give, monkeypatch: pytest.MonkeyPatch) -> None:
    give()
    monkeypatch.setattr(synthesis, "_synthesize", None)
    assert (give() / "template").read_text() == "first"
    assert give() == give()


def test_another_process_with_changed_sources_gets_another(
    give: Give, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = give()
    source.write_text("second")
    _begin_again(monkeypatch)
    assert (give() / "template").read_text() == "second"
    assert (first / "template").read_text() == "first", "who began earlier still reads it"


@pytest.mark.parametrize("variable", ["CDK_VALIDATION", "CDK_CONTEXT_JSON"])
def test_another_environment_of_the_process_gives_another(
    give: Give, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    give()
    shared = give()
    monkeypatch.setenv(variable, "{}")
    _begin_again(monkeypatch)
    give()
    assert give() != shared


def test_a_process_that_has_imported_what_then_changed_neither_takes_nor_shares_one(
    give: Give, source: Path
) -> None:
    give()
    source.write_text("second")
    assert (give() / "template").read_text() == "second"
    assert give() != give(), "each is its own"


def test_what_was_edited_meanwhile_is_not_shared(
    give: Give, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def synthesize(_environment: str, folder: Path) -> None:
        (folder / "template").write_text("half of each")
        source.write_text("second")

    with monkeypatch.context() as patch:
        patch.setattr(synthesis, "_synthesize", synthesize)
        give()
    source.write_text("first")
    assert (give() / "template").read_text() == "first"
