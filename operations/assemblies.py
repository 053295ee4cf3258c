"""Writes the cloud assemblies of several environments side by side.

Loading the CDK and its validator takes longer than an environment's stacks: so each process writes several.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import monotonic

from operations.synthesis import ROOT, node_environment


@dataclass(frozen=True)
class Written:
    """An environment's assembly in `folder`; problem: what forbids its deployment, None if nothing does.

    is_configured: whether its files allow stacks at all; without them nothing was written.
    """

    environment: str
    folder: Path
    seconds: float
    is_configured: bool = True
    problem: str | None = None


def write_assemblies(environments: Sequence[str], output: Path) -> Iterator[Written]:
    """Write `output`/<environment> for each, as many at once as there are cores; give each when done."""
    # Of the processes that start now: type checks that mypy has made are not made again at each call.
    os.environ |= {**node_environment(), "PYTHONOPTIMIZE": "1"}
    at_once = min(len(environments), os.cpu_count() or 1)
    with ProcessPoolExecutor(at_once, mp_context=get_context("spawn")) as pool:
        begun = [pool.submit(partial(_write, name, output / name)) for name in environments]
        for done in as_completed(begun):
            yield done.result()


def _write(environment: str, folder: Path) -> Written:
    # The app starts Node.js.
    import app
    from stacks.config.load import ConfigError

    began = monotonic()
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    try:
        app.write(app.build(context=context | {"environment": environment}, outdir=str(folder)))
    except ConfigError as error:
        return Written(environment, folder, monotonic() - began, is_configured=False, problem=str(error))
    except app.FindingsError as error:
        return Written(environment, folder, monotonic() - began, problem=str(error))
    return Written(environment, folder, monotonic() - began)
