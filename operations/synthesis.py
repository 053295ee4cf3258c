"""Synthesizes one environment, for commands that tell something of its stacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from gatehouse import names
from operations.assembly import stage_names
from operations.errors import WrongUsageError

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def assembly_of(environment: str, folder: Path | None = None, *, validate: bool = False) -> Iterator[Path]:
    """Give the cloud assembly in `folder`, or else one that is synthesized now and removed afterwards.

    validate: whether its report holds what CloudFormation itself would find, which takes some seconds more.
    Raises WrongUsageError where there is no assembly, or with what is wrong with the configuration.
    """
    if folder is not None:
        _check_environment(environment, folder)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="gatehouse-") as directory:
        click.echo(f"Synthesizing {environment} ...", err=True)
        _synthesize(environment, directory, validate=validate)
        yield Path(directory)


def _check_environment(environment: str, folder: Path) -> None:
    """What is told of an environment must not be another's."""
    if not (folder / "manifest.json").is_file():
        raise WrongUsageError(f"{folder} holds no cloud assembly: write one with make synth-{environment}")
    if (held := stage_names(folder)) != [names.stage(environment)]:
        raise WrongUsageError(
            f"{folder} holds {', '.join(held) or 'no stage'}, not {names.stage(environment)}: name its "
            f"environment with --environment, or write another with make synth-{environment}"
        )


def node_environment() -> dict[str, str]:
    """What makes the CDK run in the Node.js that was installed with it, as cdk.json's command does."""
    node = Path(sys.executable).with_name("node")
    # In quotes: the folder's name may have a space.
    options = f'{os.environ.get("NODE_OPTIONS", "")} --require "{ROOT / "node_flags.cjs"}"'.strip()
    return {"NODE_OPTIONS": options} | ({"JSII_NODE": str(node)} if node.exists() else {})


def _synthesize(environment: str, directory: str, *, validate: bool) -> None:
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    # What the templates hold is asked here, not whether they may be deployed.
    context |= {"environment": environment, "@aws-cdk/core:failSynthOnValidationErrors": False}
    run = subprocess.run(
        [sys.executable, "-O", "app.py"],
        cwd=ROOT,
        env={
            **os.environ,
            **node_environment(),
            "CDK_OUTDIR": directory,
            "CDK_CONTEXT_JSON": json.dumps(context),
            "CDK_VALIDATION": str(validate).lower(),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise WrongUsageError(run.stderr.strip() or f"{environment} could not be synthesized")
