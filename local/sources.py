"""The files that decide what a synthesis writes, and whether they are still the same."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

# Below the project's folder: app, configuration, the image's folder, pinned libraries.
INPUTS = (
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
