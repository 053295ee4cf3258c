"""gatehouse stacks: what deploys when, and how large it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from operations.commands import Command, Session, with_session
from operations.configuration import environment_option

if TYPE_CHECKING:
    from operations.assembly import Stack
    from operations.output import Shown

assembly_option = click.option(
    "--assembly",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Read this synthesized assembly, such as cdk.out/prod, instead of synthesizing now.",
)


@click.command(
    "stacks",
    cls=Command,
    asks_gateway=False,
    examples="""
    gatehouse stacks --environment prod
    gatehouse stacks --environment prod --assembly cdk.out/prod --json""",
)
@environment_option
@assembly_option
@with_session
def stacks(session: Session, environment: str, assembly: Path | None) -> None:
    """Show an environment's stacks in the order of their deployment, and the path that decides its length."""
    from operations.assembly import read_stacks
    from operations.synthesis import assembly_of

    with assembly_of(environment, assembly) as folder:
        found = read_stacks(folder)
    session.show(_facts(found), lambda: _table(found))


def _facts(found: Mapping[str, Stack]) -> dict[str, Any]:
    from operations.waves import critical_path, minutes, slowest_type, waves

    return {
        "waves": waves(found),
        "critical_path": critical_path(found),
        "stacks": {
            name: {
                "account": stack.account,
                "region": stack.region,
                "after": list(stack.after),
                "resources": len(stack.resources),
                "template_kb": round(stack.template_bytes / 1000, 1),
                "estimated_minutes": minutes(stack),
                "slowest_type": slowest_type(stack),
            }
            for name, stack in found.items()
        },
    }


def _table(found: Mapping[str, Stack]) -> Shown:
    from operations.output import note, number, table, together
    from operations.waves import critical_path, minutes, slowest_type, waves

    path = critical_path(found)
    rows = [
        (
            f"{'*' if name in path else ' '} {wave}",
            name,
            str(len(found[name].resources)),
            f"{found[name].template_bytes / 1000:,.0f}",
            f"{minutes(found[name]):g}",
            slowest_type(found[name]),
            ", ".join(found[name].after),
            found[name].region,
            found[name].account,
        )
        for wave, names in enumerate(waves(found), start=1)
        for name in names
    ]
    columns = ("Wave", "!Stack", ">Resources", ">KB", ">Minutes", "?Slowest", "?After", "?Region", "?Account")
    total = number(sum(minutes(found[name]) for name in path))
    way = " → ".join(path)
    return together(
        table(*columns, rows=rows),
        note(
            f"critical path (*): {way}, about {total} minutes; minutes are estimates for a first deployment"
        ),
    )
