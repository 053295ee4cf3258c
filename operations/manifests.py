"""gatehouse manifests: what runs on Kubernetes, as plain files for GitOps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from operations.commands import Command, Session, with_session
from operations.configuration import environment_option
from operations.errors import WrongUsageError
from operations.stacks import assembly_option

if TYPE_CHECKING:
    from gatehouse.kubernetes.manifest import Manifest
    from operations.manifests_source import Manifests
    from operations.output import Shown


@click.command(
    "manifests",
    cls=Command,
    asks_gateway=False,
    examples="""
    gatehouse manifests --environment prod-eks --output clusters/prod/gatehouse
    gatehouse manifests --environment prod-eks --outputs-file outputs.json --output clusters/prod/gatehouse
    gatehouse manifests --environment prod-eks --placeholders
    gatehouse manifests --environment prod-eks --json | jq '.items[] | select(.kind == "Deployment")'
    gatehouse manifests --environment prod-eks --rights | kubectl apply -f -""",
)
@environment_option
@assembly_option
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False, allow_dash=True),
    default="-",
    metavar="FOLDER",
    help="Write a file for each object, and what kustomize reads; else all on stdout.",
)
@click.option(
    "--outputs-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="What cdk deploy --outputs-file wrote, instead of asking CloudFormation.",
)
@click.option(
    "--placeholders",
    is_flag=True,
    help="Write ${Name} for what only a deployment knows, before there is one.",
)
@click.option(
    "--rights",
    is_flag=True,
    help="Write what the owners of an existing cluster apply once, so that deployments may apply the rest.",
)
@with_session
def manifests(
    session: Session,
    environment: str,
    assembly: Path | None,
    output: Path,
    outputs_file: Path | None,
    placeholders: bool,
    rights: bool,
) -> None:
    """Write the manifests of an environment on EKS, with the values of its deployed Service stack.

    Whoever applies them waits for those in prerequisites, and for the Job among them, before the workload.
    """
    from operations.manifests_files import folders_of, write_files

    if placeholders + rights + (outputs_file is not None) > 1:
        raise WrongUsageError(
            "of --outputs-file, --placeholders and --rights only one has a meaning at a time"
        )
    if rights:
        _print(session, _rights(environment))
        return
    folders = folders_of(_manifests(environment, assembly, outputs_file, placeholders=placeholders))
    if str(output) == "-":
        _print(session, [each for manifests in folders.values() for each in manifests])
        return
    files = write_files(output, folders)
    session.show({"folder": str(output), "files": files}, lambda: _table(output, files))


def _print(session: Session, manifests: Sequence[Manifest]) -> None:
    from operations.manifests_files import as_yaml
    from operations.output import print_json, print_text

    if session.as_json:
        print_json({"apiVersion": "v1", "kind": "List", "items": manifests})
    else:
        print_text("---\n".join(map(as_yaml, manifests)))


def _rights(environment: str) -> list[Manifest]:
    from gatehouse.kubernetes.api_access import deployment_rights
    from operations.configuration import configuration

    compute = configuration(environment)[0].compute
    if compute.existing is None:
        raise WrongUsageError(
            f"{environment} is in no cluster that was there: compute.existing in its configuration names none"
        )
    return deployment_rights(compute.namespace)


def _manifests(
    environment: str, assembly: Path | None, outputs_file: Path | None, *, placeholders: bool
) -> Manifests:
    from operations.manifests_source import read_outputs, read_outputs_file, read_source
    from operations.synthesis import assembly_of

    with assembly_of(environment, assembly) as folder:
        source = read_source(environment, folder)
    if placeholders:
        return source.with_placeholders()
    if outputs_file is not None:
        return source.with_values(read_outputs_file(source, outputs_file))
    return source.with_values(read_outputs(source))


def _table(folder: Path, files: list[str]) -> Shown:
    from operations.output import table

    return table("File", rows=[(str(folder / file),) for file in files])
