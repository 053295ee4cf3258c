"""The command line: `python -m local.drill`."""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local.drill.drill import BrokenOffError, Result, run
from local.drill.pages import COLUMNS, PROVES, as_record, row, write
from local.drill.plan import plan_of
from local.drill.scenario import SEEDS, TOLD, scenario
from local.progress import Progress
from operations.assembly import read_stacks
from operations.errors import WrongUsageError
from operations.synthesis import assembly_of

_HELP = """\
examples:
  python -m local.drill                         every fault, one after the other, in some minutes
  python -m local.drill --seed 1 --seed 4
  python -m local.drill --report .local/drills  one page for each drill, and one over all
  python -m local.drill --environment prod-eks

A seed is a fault with its circumstances: the same for ever. Seeds beyond 9 are the same faults under others.

exit codes:
  0  everything that a drill must have came out
  1  something did not
  2  nothing was drilled
  130  interrupted
"""


def main() -> int:
    """Drill, print the table, return the exit code."""
    # Everything that was started ends with this process.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = _parser().parse_args()
    console = Console(stderr=True)
    try:
        results, broken_off = _drill(arguments, Progress(console))
    except (WrongUsageError, ValueError) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 2
    except KeyboardInterrupt:
        console.print("Stopped; everything that ran has ended.")
        return 130
    for told in broken_off:
        console.print(told, style="red", markup=False, highlight=False)
    if not results:
        return 2
    if arguments.report:
        console.print(f"Written: {write(arguments.report, results, broken_off)}", highlight=False)
    if arguments.json:
        print(json.dumps([as_record(result) for result in results]))
    else:
        _print(results, Console(width=None if sys.stdout.isatty() else 200))
    return 1 if broken_off or any(result.missed for result in results) else 0


def _drill(arguments: argparse.Namespace, progress: Progress) -> tuple[list[Result], list[str]]:
    """What drills measured, and what is to be told of those that were broken off."""
    with (
        progress.step(f"Synthesize {arguments.environment}"),
        assembly_of(arguments.environment, arguments.assembly) as assembly,
    ):
        plan = plan_of(read_stacks(assembly))
    results, broken_off = [], []
    for seed in arguments.seed or SEEDS:
        wanted = scenario(seed)
        try:
            with progress.step(f"{seed}: {TOLD[wanted.fault]}") as say:
                results.append(run(wanted, plan, say))
        except BrokenOffError as error:
            broken_off.append(f"The drill of seed {seed} was broken off: {error}")
    return results, broken_off


def _print(results: Sequence[Result], console: Console) -> None:
    table = Table(*COLUMNS, title="Drills on one machine", title_justify="left")
    for result in results:
        *figures, verdict = row(result)
        colour = "red" if result.missed else "green"
        table.add_row(*figures, f"[{colour}]{verdict}[/]")
    console.print(table)
    console.print(f"[dim]{PROVES}[/]")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.drill",
        description="Lose a region on this machine under load, run the recovery plan, count what was lost.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--seed", type=int, action="append", metavar="N", help="only these; 0 to 9 are default"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--report", type=Path, metavar="FOLDER", help="write the pages there")
    parser.add_argument("--environment", default="prod", metavar="NAME", help="whose plan is run (prod)")
    parser.add_argument(
        "--assembly", type=Path, metavar="FOLDER", help="where it is synthesized already, as cdk.out/prod"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
