"""The command line: `python -m local.patterns`."""

import argparse
import json
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from local.bedrock_simulator import process as simulator_process
from local.fleet import fleet, urls
from local.keys import create_key, create_project, wait_until_known
from local.patterns import measure
from local.patterns.chart import draw
from local.patterns.requests import Gateways
from local.progress import Progress
from local.throwaway_servers import ServerError

_HERE = Path(__file__).parent
# The requests a minute that each may send.
_CONSUMERS = {"consumer-a": 3, "consumer-b": 10, "consumer-c": 10}
_HELP = """\
examples:
  python -m local.patterns                      two gateways and a Bedrock simulator on this machine
  python -m local.patterns --json
  python -m local.patterns --endpoint https://api.example.com --key KEY --consumers KEY_A KEY_B KEY_C

A deployed gateway needs the models of local/patterns/models.yaml in its model configuration, and consumers
A, B and C need limits of 3, 10 and 10 requests a minute. Limits and capacities hold for rolling minutes: wait
a minute before you measure it again.

exit codes:
  0  every pattern came out as expected
  1  one did not
  2  nothing was measured
"""


def main() -> int:
    """Measure, print the table, return the exit code."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.endpoint and not (arguments.key and arguments.consumers):
        parser.error("--endpoint needs --key and --consumers too")
    console = Console(stderr=True)
    try:
        with _gateways(arguments) as (gateways, regions):
            results = _measure(gateways, regions, Progress(console))
    except ServerError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 2
    if arguments.chart:
        arguments.chart.write_text(draw(results))
    if arguments.json:
        print(json.dumps([asdict(result) for result in results]))
    else:
        _print(results, Console(width=None if sys.stdout.isatty() else 140))
    return 0 if all(result.holds for result in results) else 1


def _measure(gateways: Gateways, regions: measure.Regions, progress: Progress) -> list[measure.Result]:
    patterns: list[tuple[str, Callable[[], measure.Result]]] = [
        ("Cross-region inference", lambda: measure.cross_region_inference(gateways, regions)),
        ("Account sharding", lambda: measure.account_sharding(gateways, regions)),
        ("Model fallback", lambda: measure.fallback(gateways)),
        ("Load balancing", lambda: measure.load_balancing(gateways)),
        ("Quota isolation", lambda: measure.quota_isolation(gateways)),
    ]
    results = []
    for name, pattern in patterns:
        with progress.step(name):
            results.append(pattern())
    return results


@contextmanager
def _gateways(arguments: argparse.Namespace) -> Iterator[tuple[Gateways, measure.Regions]]:
    if arguments.endpoint:
        yield (
            Gateways([arguments.endpoint.rstrip("/")], arguments.key, arguments.consumers),
            lambda _account: None,
        )
        return
    admin_key = secrets.token_hex(24)
    with (
        simulator_process.start((_HERE / "scenario.yaml").read_text()) as simulator,
        fleet(
            catalog=yaml.safe_load((_HERE / "models.yaml").read_text()),
            api_keys={"admin": admin_key},
            settings={"bedrock_endpoint_url": simulator.url, "sts_endpoint_url": simulator.url},
            environ={
                "AWS_ACCESS_KEY_ID": "AKIAGATEWAY",
                "AWS_SECRET_ACCESS_KEY": "secret-of-the-gateway",
            },
            database=True,
        ) as running,
    ):

        def regions(account: str) -> Sequence[tuple[str, int]]:
            calls = simulator.control.calls()
            served = Counter(call.served_by for call in calls if call.account == account and call.served_by)
            return sorted((region, count) for region, count in served.items() if region)

        addresses = urls(running.gateways)
        keys = [_key(addresses, admin_key, name, limit) for name, limit in _CONSUMERS.items()]
        yield Gateways(addresses, admin_key, keys), regions


def _key(addresses: Sequence[str], admin_key: str, name: str, requests_per_minute: int) -> str:
    """A key of a project of its own, as a platform team hands it out."""
    project = create_project(addresses[0], admin_key, name)
    limits = {"requests_per_minute": requests_per_minute}
    key = create_key(addresses[0], admin_key, project, name, limits=limits)
    wait_until_known(addresses, key)
    return key


def _print(results: Sequence[measure.Result], console: Console) -> None:
    table = Table("", "Pattern", "Set-up", "Article", "Here", "", title_justify="left")
    for result in results:
        mark = "[green]✓[/]" if result.holds else "[red]✗[/]"
        table.add_row(str(result.number), result.name, result.set_up, result.expected, result.measured, mark)
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.patterns",
        description="Measure five resilience patterns for Amazon Bedrock behind a gateway.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--endpoint", metavar="URL", help="a deployed gateway, instead of one on this machine"
    )
    parser.add_argument("--key", help="with --endpoint: an API key without limits")
    parser.add_argument(
        "--consumers", nargs=3, metavar="KEY", help="with --endpoint: keys of 3, 10 and 10 requests a minute"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the figures into an SVG file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
