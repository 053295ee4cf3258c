"""Synthesizes, unless the assembly that lies there came from these very files and is untouched."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from local.deploy import Say, synthesize
from local.options import ROOT, Options

# Whatever decides what a synthesis writes: app, configuration, the image's folder, pinned libraries.
_INPUTS = (
    "app.py",
    "cdk.json",
    "cdk.context.json",
    "config",
    "constructs",
    "gateway_image",
    "stacks",
    "package-lock.json",
    "requirements.txt",
)


def synthesize_if_changed(options: Options, say: Say) -> bool:
    """Make sure that the assembly is what a synthesis would write now; return whether one was needed."""
    record = options.state / "synthesized"
    inputs = [ROOT / name for name in _INPUTS]
    if record.exists() and record.read_text() == fingerprint([*inputs, options.assembly]):
        return False
    record.unlink(missing_ok=True)
    before = fingerprint(inputs)
    synthesize(options, say)
    if (
        fingerprint(inputs) == before
    ):  # or somebody edits meanwhile: then nobody knows what the assembly holds
        record.write_text(fingerprint([*inputs, options.assembly]))
    return True


def fingerprint(paths: Iterable[Path]) -> str:
    """A hash of these files and all files in these folders, by name and content, compiled Python aside."""
    digest = hashlib.sha256()
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and file.suffix != ".pyc":
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                digest.update(f"{file.relative_to(path.parent)}\0{content}\n".encode())
    return digest.hexdigest()
