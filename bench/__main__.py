"""Our gateway beside others, and beside what it must reach: `python -m bench [--json]`.

Linux with two cores: the candidate, with one worker, has core 0; the mock provider, Valkey and the load
generators share core 1. Every round measures every candidate once, so that what else the machine does hits
all alike; figures are medians. CPU per request is the steady one on a busy machine. Needs wrk and, once, a
way to the package registries.
"""

import argparse
import datetime
import json
import platform
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from bench import chart, load, processes, report
from bench.candidate import Candidate, Surroundings, UnavailableError
from bench.endurance import endurance
from bench.gatehouse import gatehouse, gatehouse_on_bedrock
from bench.machine import OtherWork
from bench.measure import Figures, figures, medians
from bench.peers import LITELLM, NGINX, PORTKEY, TENSORZERO
from bench.scaling import Scaling, scaling
from bench.surroundings import surroundings
from bench.targets import Results

_PICTURE = processes.REPOSITORY / "docs" / "images" / "benchmark.svg"
_CANDIDATES = (gatehouse(), gatehouse_on_bedrock(), NGINX, TENSORZERO, PORTKEY, LITELLM)

Measured = TypeVar("Measured")


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _install(candidates: Sequence[Candidate], folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Versions, and the reasons of those that cannot be installed."""
    versions, reasons = {}, {}
    for candidate in candidates:
        _say(f"installing {candidate.name}, unless it is there")
        try:
            versions[candidate.name] = candidate.install(folder)
        except UnavailableError as error:
            reasons[candidate.name] = str(error)
            _say(f"  not measured: {error}")
    return versions, reasons


def _compare(
    candidates: Sequence[Candidate], around: Surroundings, rounds: int, seconds: int
) -> tuple[dict[str, Figures], dict[str, str]]:
    """Medians by candidate over the rounds that went well, and the reasons of those that never did."""
    measured: dict[str, list[Figures]] = {each.name: [] for each in candidates}
    reasons = {}
    for number in range(1, rounds + 1):
        for candidate in candidates:
            _say(f"round {number} of {rounds}: {candidate.name}")
            try:
                measured[candidate.name].append(figures(candidate, around, seconds))
            except UnavailableError as error:
                reasons[candidate.name] = str(error)
                _say(f"  not measured: {error}")
    results = {name: medians(each) for name, each in measured.items() if each}
    return results, {name: reason for name, reason in reasons.items() if name not in results}


def _attempt(what: str, measure: Callable[[], Measured]) -> Measured | None:
    _say(what)
    try:
        return measure()
    except (UnavailableError, RuntimeError) as error:
        _say(f"  not measured: {error}")
        return None


def _scaling(around: Surroundings, rounds: int, seconds: int) -> Scaling:
    """The median of the rounds."""
    with surroundings(around.installed, core=None) as on_all_cores:
        results = [scaling(around, on_all_cores, seconds) for _ in range(rounds)]
    return sorted(results, key=lambda result: result.factor)[rounds // 2]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--rounds", type=int, default=3, help="over all candidates (default 3)")
    parser.add_argument("--seconds", type=int, default=4, help="of load for each figure (default 4)")
    parser.add_argument("--requests", type=int, default=100_000, help="of the memory test (default 100000)")
    parser.add_argument(
        "--peers-folder", type=Path, default=processes.PEERS_FOLDER, help="where peers are kept"
    )
    parser.add_argument("--picture", type=Path, default=_PICTURE, help=f"default {_PICTURE}")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="candidates whose names hold one of these")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    load.require_wrk()
    # As an interrupt does, it ends what was started, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    processes.pin(processes.LOAD_CORE)
    folder: Path = arguments.peers_folder
    folder.mkdir(parents=True, exist_ok=True)
    words = [word.lower() for word in arguments.only or [""]]
    candidates = [each for each in _CANDIDATES if any(word in each.name.lower() for word in words)]
    versions, reasons = _install(candidates, folder)
    others = OtherWork()
    with surroundings(folder) as around:
        installed = [each for each in candidates if each.name in versions]
        compared, failed = _compare(installed, around, arguments.rounds, arguments.seconds)
        lasting = scaled = None
        if gatehouse().name in compared:
            lasting = _attempt("memory over many requests", lambda: endurance(around, arguments.requests))
            scaled = _attempt(
                "one worker and two", lambda: _scaling(around, arguments.rounds, arguments.seconds)
            )
    note = (
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, Python {platform.python_version()}, one core each; "
        f"other programs used {max(others.share(), 0):.0%} of the machine meanwhile, "
        f"its host withheld {others.withheld():.0%}."
    )
    results = Results(compared, reasons | failed, lasting, scaled)
    if compared and not arguments.only:
        ours = [gatehouse().name, gatehouse_on_bedrock().name]
        checking = ", ".join(each.name for each in candidates if each.uses_cache)
        notes = [f"{checking}: check keys and limits. The others only forward.", note]
        arguments.picture.write_text(chart.draw(compared, ours, notes), encoding="utf-8")
    if arguments.json:
        print(json.dumps(report.document(results, versions, note), indent=2))
    else:
        print(report.text(results, candidates, versions, note))


if __name__ == "__main__":
    main()
