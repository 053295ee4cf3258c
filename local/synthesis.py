"""Synthesizes, unless the assembly that lies there came from these very files and is untouched."""

from pathlib import Path

from local.deploy import Say, synthesize
from local.options import ROOT, Options
from local.sources import INPUTS, fingerprint


def synthesize_if_changed(options: Options, say: Say) -> bool:
    """Make sure that the assembly is what a synthesis would write now; return whether one was needed."""
    record = _record(options)
    if record.exists() and record.read_text() == fingerprint([*_inputs(), options.assembly]):
        return False
    record.unlink(missing_ok=True)
    before = fingerprint(_inputs())
    synthesize(options, say)
    # Or somebody edits meanwhile: then nobody knows what the assembly holds.
    if fingerprint(_inputs()) == before:
        accept(options)
    return True


def accept(options: Options) -> None:
    """Take the assembly that lies there for what a synthesis would write now."""
    _record(options).write_text(fingerprint([*_inputs(), options.assembly]))


def _inputs() -> list[Path]:
    return [ROOT / name for name in INPUTS]


def _record(options: Options) -> Path:
    return options.state / "synthesized"
