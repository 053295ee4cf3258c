"""The command line: `gatehouse`, or `python -m operations`."""

import os
import sys

import click

from operations.accounts import accounts
from operations.audit import audit
from operations.catalog import deployments, models
from operations.commands import Group
from operations.completion import COMPLETE_VARIABLE, PROGRAM, completion
from operations.compliance.command import compliance
from operations.cost.command import cost
from operations.errors import INTERRUPTED
from operations.keys import keys
from operations.limits import limits
from operations.manifests import manifests
from operations.projects import projects
from operations.provider_keys import provider_keys
from operations.recovery.command import drill, failback, failover, protect, status
from operations.roles import roles
from operations.stacks import stacks
from operations.synth import synth
from operations.usage import usage

_EPILOG = """\
\b
Exit codes:
  0    done
  1    refused, by the gateway, AWS or at a confirmation, or a check failed
  2    the command line, the environment or the profile has to change
  3    neither the gateway nor AWS answered
  4-6  of failover, failback, protect and drill: see their --help
  130  interrupted

\b
The key is an admin's. It comes from --key-file, GATEHOUSE_KEY, the profile's
key_command or a prompt, never from an argument. A profile in
~/.config/gatehouse/config.toml:
  [prod]
  endpoint = "https://api.example.com"
  key_command = "aws secretsmanager get-secret-value --secret-id ..."
"""


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"{PROGRAM} {version('gatehouse')}")
        context.exit()


@click.group(
    PROGRAM,
    cls=Group,
    shared=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EPILOG,
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version."
)
def gatehouse() -> None:
    """Run a Gatehouse gateway: its projects, API keys, limits and usage."""


for command in (
    projects,
    keys,
    roles,
    limits,
    usage,
    models,
    deployments,
    audit,
    accounts,
    provider_keys,
    synth,
    stacks,
    cost,
    compliance,
    manifests,
    status,
    failover,
    failback,
    protect,
    drill,
    completion,
):
    gatehouse.add_command(command)


def main() -> None:
    """Run the command and end the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character of a name shows another one.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        code = gatehouse.main(prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE, standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        click.echo("Interrupted; a change that was under way may have been made.", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has had enough; what is left goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code or 0)


if __name__ == "__main__":
    main()
