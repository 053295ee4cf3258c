"""gatehouse synth: every environment's cloud assembly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from operations.commands import Command, Session, with_session
from operations.errors import REFUSED, WRONG_USAGE

if TYPE_CHECKING:
    from operations.assemblies import Written
    from operations.output import Shown


@dataclass(frozen=True)
class _Assembly:
    """What a line of the answer says; the numbers are None where nothing was written."""

    environment: str
    folder: str
    stacks: int | None
    resources: int | None
    largest_template_kb: float | None
    seconds: float
    problem: str | None


@click.command(
    "synth",
    cls=Command,
    asks_gateway=False,
    examples="""
    gatehouse synth
    gatehouse synth dev prod --output build/assemblies
    gatehouse synth --json | jq '.[] | select(.problem)'""",
)
@click.argument("environments", nargs=-1, metavar="[ENVIRONMENT]...")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default="cdk.out",
    show_default=True,
    metavar="FOLDER",
    help="Each assembly is written to FOLDER/ENVIRONMENT.",
)
@with_session
def synth(session: Session, environments: tuple[str, ...], output: Path) -> None:
    """Write the cloud assemblies of all environments, or of those named, with the rule packs and validation.

    The exit code is 1 while a finding forbids a deployment, and 2 if a configuration is wrong. What is
    written is deployed by `cdk deploy --app FOLDER/ENVIRONMENT`.
    """
    from operations.assemblies import write_assemblies
    from stacks.config.files import environment_names

    names = list(dict.fromkeys(environments)) or environment_names()
    click.echo(f"Synthesizing {', '.join(names)} ...", err=True)
    written = []
    for each in write_assemblies(names, output):
        click.echo(f"{each.environment}: {each.problem or f'{each.seconds:.1f} s'}", err=True)
        written.append(each)
    found = [_read(each) for each in sorted(written, key=lambda each: names.index(each.environment))]
    session.show([asdict(each) for each in found], lambda: _table(found))
    if any(not each.is_configured for each in written):
        raise click.exceptions.Exit(WRONG_USAGE)
    if any(each.problem for each in written):
        raise click.exceptions.Exit(REFUSED)


def _read(written: Written) -> _Assembly:
    from operations.assembly import read_stacks

    stacks = list(read_stacks(written.folder).values()) if written.is_configured else None
    return _Assembly(
        environment=written.environment,
        folder=str(written.folder),
        stacks=None if stacks is None else len(stacks),
        resources=None if stacks is None else sum(len(stack.resources) for stack in stacks),
        largest_template_kb=None
        if stacks is None
        else round(max(stack.template_bytes for stack in stacks) / 1000, 1),
        seconds=round(written.seconds, 1),
        problem=written.problem,
    )


def _table(found: Sequence[_Assembly]) -> Shown:
    from operations.output import table

    rows = [
        (
            each.environment,
            "failed" if each.problem else "ok",
            *(_cell(value) for value in (each.stacks, each.resources, each.largest_template_kb)),
            each.folder,
        )
        for each in found
    ]
    return table("!Environment", "State", ">Stacks", ">Resources", ">Largest KB", "Folder", rows=rows)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
