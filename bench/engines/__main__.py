"""Measure every candidate in turn, several rounds, and print medians: `python -m bench.engines [--json]`.

Linux with two cores or more: the candidate has core 0, the provider, Valkey and the load generators share
core 1. Needs wrk. CPU per request and per stream are steady on a busy machine; the other figures are not.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median

from bench import load, processes
from bench.engines import environment
from bench.engines.application import API_KEY
from bench.load import Target
from bench.mock_upstream import PACED
from bench.processes import CANDIDATE_CORE, LOAD_CORE

CANDIDATES = (
    "granian+pyreqwest+msgspec+redis-py",
    "granian-embedded+pyreqwest+msgspec+redis-py",
    "uvicorn+pyreqwest+msgspec+redis-py",
    "granian+pyqwest+msgspec+redis-py",
    "granian+aiohttp+msgspec+redis-py",
    "uvicorn+aiohttp+msgspec+redis-py",
    "granian+pyreqwest+orjson+redis-py",
    "granian+pyreqwest+json+redis-py",
    "granian+pyreqwest+msgspec+valkey-glide",
    "granian+pyreqwest+msgspec+coredis",
)


@dataclass(frozen=True)
class Result:
    """One candidate's figures; CPU is user and system time of its whole process tree."""

    cpu_ms_per_request: float
    requests_per_second: float
    cpu_ms_per_stream: float
    first_event_ms: float
    memory_mb: float
    ready_seconds: float


@contextmanager
def _surroundings() -> Iterator[dict[str, str]]:
    """The provider and Valkey; yields the variables that tell a candidate where they are."""
    upstream, cache = processes.free_port(), processes.free_port()
    valkey = [environment.valkey_server(), "--port", str(cache), "--save", "", "--logfile", "/dev/null"]
    provider = [environment.python(), "-m", "bench.engines.upstream", str(upstream)]
    with (
        processes.running(provider, core=LOAD_CORE) as provider_process,
        processes.running([*valkey, "--bind", "127.0.0.1"], core=LOAD_CORE) as valkey_process,
    ):
        processes.wait_until_listening(provider_process, upstream)
        processes.wait_until_listening(valkey_process, cache)
        yield {"BENCH_UPSTREAM": f"http://127.0.0.1:{upstream}/", "BENCH_CACHE": str(cache)}


def _measure(candidate: str, surroundings: dict[str, str], seconds: int) -> Result:
    port = processes.free_port()
    variables = {**surroundings, "BENCH_CANDIDATE": candidate, "BENCH_LISTEN": str(port)}
    target = Target(port=port, headers={"authorization": f"Bearer {API_KEY}"})
    program = [environment.python(), "-m", "bench.engines.application"]
    started = time.monotonic()
    with processes.running(program, core=CANDIDATE_CORE, environment=variables) as process:
        processes.wait_until_healthy(process, port)
        ready = time.monotonic() - started
        load.send_requests(target, connections=64, seconds=1)  # warm-up
        before = processes.cpu_seconds(process)
        requests = load.send_requests(target, connections=64, seconds=seconds)
        between = processes.cpu_seconds(process)
        streams = load.read_streams(target, concurrent=32, seconds=seconds, prompt=PACED)
        after = processes.cpu_seconds(process)
        return Result(
            cpu_ms_per_request=1000 * (between - before) / requests.completed,
            requests_per_second=requests.per_second,
            cpu_ms_per_stream=1000 * (after - between) / streams.completed,
            first_event_ms=streams.median_first_event_ms,
            memory_mb=processes.memory_mb(process),
            ready_seconds=ready,
        )


def _medians(results: list[Result]) -> Result:
    rows = [asdict(result) for result in results]
    return Result(**{name: median(row[name] for row in rows) for name in rows[0]})


def _table(results: dict[str, Result]) -> str:
    best_request = min(r.cpu_ms_per_request for r in results.values())
    best_stream = min(r.cpu_ms_per_stream for r in results.values())
    lines = [
        "| candidate | CPU ms/request | ratio | requests/s, 64 in flight | CPU ms/100-event stream | ratio "
        "| first event ms | memory MB | ready s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, r in results.items():
        figures = (
            f"{r.cpu_ms_per_request:.3f}",
            f"{r.cpu_ms_per_request / best_request:.2f}",
            f"{r.requests_per_second:.0f}",
            f"{r.cpu_ms_per_stream:.2f}",
            f"{r.cpu_ms_per_stream / best_stream:.2f}",
            f"{r.first_event_ms:.1f}",
            f"{r.memory_mb:.0f}",
            f"{r.ready_seconds:.2f}",
        )
        lines.append(f"| {name} | {' | '.join(figures)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.engines", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print figures as JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over all candidates (default 3)")
    parser.add_argument("--seconds", type=int, default=3, help="seconds of load per measurement (default 3)")
    parser.add_argument("candidates", nargs="*", default=CANDIDATES, help="server+client+codec+cache")
    arguments = parser.parse_args()
    load.require_wrk()

    results: dict[str, list[Result]] = {candidate: [] for candidate in arguments.candidates}
    with _surroundings() as surroundings:
        for round_number in range(1, arguments.rounds + 1):
            for candidate, measured in results.items():
                print(f"round {round_number}/{arguments.rounds}: {candidate}", file=sys.stderr)
                measured.append(_measure(candidate, surroundings, arguments.seconds))
    medians = {candidate: _medians(measured) for candidate, measured in results.items()}
    if arguments.json:
        print(json.dumps({candidate: asdict(result) for candidate, result in medians.items()}, indent=2))
    else:
        print(_table(medians))


if __name__ == "__main__":
    main()
