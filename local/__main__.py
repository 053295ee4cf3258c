"""The command line: `python -m local up`, `smoke` and `down`."""

import argparse
import os
import signal
import sys

from rich.console import Console

from local.aws import forget_caller
from local.errors import LocalError, PreconditionError
from local.options import ENVIRONMENT, PORT_VARIABLES, STATE_VARIABLE, Options, read_options
from local.progress import Progress
from local.report import print_report
from local.state import down
from local.up import platform, stay_up
from stacks.config.files import environment_names

_HELP = f"""\
examples:
  python -m local up                             stay up until Ctrl-C
  python -m local smoke --json                   up, one request, down; the report as JSON
  python -m local smoke --environment prod-eks   the same on Kubernetes
  python -m local down                           stop and remove what is left, after a crash too
  {PORT_VARIABLES["gateway"][0]}=9000 python -m local up

exit codes:
  0  it worked; for smoke: the gateway answered a chat request
  1  a step failed, or a process of the platform ended by itself
  2  nothing was started: this machine or the command line needs a change

variables:
  {STATE_VARIABLE:24} folder of logs and data, removed by down (.local/platform)
""" + "\n".join(
    f"  {variable:24} port of the {name} on 127.0.0.1 ({number})"
    for name, (variable, number) in PORT_VARIABLES.items()
)


def main() -> int:
    """Run one command; returns its exit code."""
    arguments = _parser().parse_args()
    forget_caller(os.environ)
    for number in (signal.SIGTERM, signal.SIGHUP):  # `down` and a closed terminal stop `up` as Ctrl-C does
        signal.signal(number, signal.default_int_handler)
    console = Console(stderr=True)
    try:
        options = read_options(os.environ, arguments.environment)
        if arguments.command == "down":
            console.print(f"stopped: {', '.join(down(options)) or 'nothing was running'}")
        else:
            _run(options, console, stay=arguments.command == "up", as_json=arguments.json)
    except LocalError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2 if isinstance(error, PreconditionError) else 1
    except KeyboardInterrupt:
        console.print("interrupted: everything is stopped")
        return 1
    return 0


def _run(options: Options, console: Console, *, stay: bool, as_json: bool) -> None:
    with platform(options, Progress(console)) as (report, children):
        if as_json:
            print(report.as_json(), flush=True)
        else:
            print_report(report, Console(width=None if sys.stdout.isatty() else 120))
        if not stay:
            return
        try:
            console.print("\nUp. Stop with Ctrl-C, or from another terminal: make down")
            stay_up(children)
        except KeyboardInterrupt:
            console.print(f"\nStopping; make down also removes logs and data ({options.state})")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="The whole platform on this machine: no AWS account, no Docker, no root.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="{up,smoke,down}")
    for name, help_text in (
        ("up", "bring it up, ask the gateway something, stay up until Ctrl-C"),
        ("smoke", "the same, then stop"),
        ("down", "stop whatever runs and remove its state"),
    ):
        command = commands.add_parser(name, help=help_text)
        command.set_defaults(environment=ENVIRONMENT)
        if name != "down":
            command.add_argument(
                "--environment",
                choices=environment_names(),
                help=f"which one of config/ is deployed ({ENVIRONMENT})",
            )
            command.add_argument("--json", action="store_true", help="print the report as one line of JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
