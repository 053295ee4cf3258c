"""Install peers: once for each pinned version, at low priority."""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.candidate import UnavailableError

_PINNED = tomllib.loads(Path(__file__).with_name("versions.toml").read_text(encoding="utf-8"))
_SECONDS = 1200


def pinned(name: str) -> dict[str, Any]:
    """The entry of versions.toml."""
    entry: dict[str, Any] = _PINNED[name]
    return entry


def python_environment(folder: Path, name: str, requirement: str) -> Path:
    """The interpreter of an environment with one package as pinned and what it needs; made on first use.

    requirement: the package's name and extras. Raises UnavailableError.
    """
    version, free = pinned(name)["version"], pinned(name).get("any_version_of", [])
    root = folder / f"{name}-{version}-{sys.implementation.cache_tag}"
    interpreter = root / "bin" / "python"
    if _complete(root).exists():
        return interpreter
    # It comes with the project's own environment.
    uv = str(Path(sys.executable).with_name("uv"))
    run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(root)])
    overrides = root / "overrides.txt"
    overrides.write_text("\n".join(free))
    dated = ["--exclude-newer", str(_PINNED["date"]), "--override", str(overrides)]
    install = [uv, "pip", "install", "--quiet", "--python", str(interpreter), *dated]
    run([*install, f"{requirement}=={version}"])
    _complete(root).touch()
    return interpreter


def node_package(folder: Path, name: str, package: str) -> Path:
    """The folder of one npm package as pinned; installed on first use. Raises UnavailableError."""
    version = pinned(name)["version"]
    root = folder / f"{name}-{version}"
    if not _complete(root).exists():
        root.mkdir(parents=True, exist_ok=True)
        quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts"]
        dated = ["--before", str(_PINNED["date"])]
        run(["npm", "install", "--prefix", str(root), *quiet, *dated, f"{package}@{version}"])
        _complete(root).touch()
    return root / "node_modules" / package


def run(command: Sequence[str], folder: Path | None = None) -> str:
    """What a program writes to standard output; UnavailableError with what it says if it fails."""
    if shutil.which(command[0]) is None:
        raise UnavailableError(f"{command[0]} is not installed")
    try:
        done = subprocess.run(
            ["nice", *command], cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{command[0]} took longer than {_SECONDS} s") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[-300:]
        raise UnavailableError(f"{' '.join(command[:3])} failed: {said}")
    return done.stdout


def _complete(root: Path) -> Path:
    return root / "complete"
