"""Synthesized environments, shared by all tests and by all processes that run them."""

import fcntl
import hashlib
import json
import os
import shutil
import sys
import sysconfig
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from local.sources import INPUTS, fingerprint

ROOT = Path(__file__).resolve().parents[1]
FLAGS = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
_SHARED = ROOT / ".pytest_cache" / "assemblies"
_KEPT_SECONDS = 24 * 3600


def _sources() -> str:
    """Names all that decides what a synthesis writes here: files, Python, packages, variables."""
    files = fingerprint([*(ROOT / name for name in INPUTS), Path(__file__)])
    packages = sorted(path.name for path in Path(sysconfig.get_path("purelib")).glob("*.dist-info"))
    variables = sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("CDK_"))
    text = "\n".join([files, sys.version, *packages, *variables])
    return hashlib.sha256(text.encode()).hexdigest()


# Before this process imports any of them: should they change later, it would not notice.
_AT_START = _sources()


@pytest.fixture(scope="session")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give an environment's cloud assembly by name, with validation and all rule packs; nobody changes it."""
    return cache(lambda environment: assembly_of(environment, lambda: tmp_path_factory.mktemp(environment)))


def assembly_of(environment: str, new_folder: Callable[[], Path]) -> Path:
    """Give the cloud assembly, which the first process that asks for it synthesizes for all.

    What is not of the sources as they were when this process began goes to a new folder, for it alone.
    """
    shared = _SHARED / _AT_START / environment
    shared.parent.mkdir(parents=True, exist_ok=True)
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        unchanged = _sources() == _AT_START
        if unchanged and shared.exists():
            os.utime(shared.parent)
            return shared
        folder = new_folder()
        _synthesize(environment, folder)
        # Or somebody edits meanwhile: then nobody knows of which sources it is.
        if unchanged and _sources() == _AT_START:
            _share(folder, shared)
        return folder


def _synthesize(environment: str, folder: Path) -> None:
    import app

    # Findings are asserted by a test of their own: the others still run when there are some.
    context = FLAGS | {"environment": environment, "@aws-cdk/core:failSynthOnValidationErrors": False}
    app.build(context=context, outdir=str(folder)).synth()


def _share(folder: Path, shared: Path) -> None:
    """Give an assembly to all processes, whole or not at all, and remove those that none used for a day."""
    unfinished = shared.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(folder, unfinished)
    unfinished.rename(shared)
    for other in _SHARED.iterdir():
        if other.stat().st_mtime < time.time() - _KEPT_SECONDS:
            shutil.rmtree(other, ignore_errors=True)
