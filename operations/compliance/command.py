"""gatehouse compliance: the report for auditors."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from operations.commands import Command, Session, with_session
from operations.configuration import environment_option
from operations.stacks import assembly_option


@click.command(
    "compliance",
    cls=Command,
    asks_gateway=False,
    examples="""
    gatehouse compliance --environment prod > compliance.md
    gatehouse compliance --environment prod --assembly cdk.out/prod
    gatehouse compliance --environment prod --json | jq '.acknowledged[] | {rule, construct, reason}'""",
)
@environment_option
@assembly_option
@with_session
def compliance(session: Session, environment: str, assembly: Path | None) -> None:
    """Write every rule, every finding and the reason of each acknowledged one on one page of Markdown.

    The exit code is 1 while a finding is open.
    """
    from operations.compliance.report import page, read_compliance
    from operations.output import print_json, print_text
    from operations.synthesis import assembly_of

    with assembly_of(environment, assembly, validate=True) as folder:
        found = read_compliance(environment, folder)
    if session.as_json:
        print_json(
            {
                "environment": environment,
                "packs": [asdict(pack) for pack in found.packs],
                "open": [asdict(finding) for finding in found.open],
                "acknowledged": [asdict(finding) for finding in found.acknowledged],
            }
        )
    else:
        print_text(page(found))
    if found.open:
        raise click.exceptions.Exit(1)
