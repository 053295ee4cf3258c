"""One candidate's figures of one round."""

import math
import time
from dataclasses import asdict, dataclass
from statistics import median
from subprocess import Popen

from bench import load, processes
from bench.candidate import Candidate, Running, Surroundings, UnavailableError, started
from bench.load import Target
from bench.mock_upstream import PACED, SLOWLY
from bench.surroundings import cache_commands, own_scratch

CONCURRENT = 64
CONCURRENT_SLOW = 16
CONCURRENT_STREAMS = 16
# What compiles while it runs is slow at first: so many requests, but no more than so many seconds.
_WARM_UP_REQUESTS = 3000
_WARM_UP_BURSTS = 3
_WARM_UP_BURST_SECONDS = 5
# wrk leaves as many requests unanswered as it has connections: they must hardly count.
_LEAST_REQUESTS = 20 * CONCURRENT
_MOST_SECONDS = 40
_IDLE_SECONDS = 0.5


@dataclass(frozen=True)
class Figures:
    """CPU is user and system time of the whole process tree.

    added_p50_ms, added_p99_ms: of a provider that takes 50 ms, beyond what it takes when asked directly.
    """

    cpu_ms_per_request: float
    requests_per_second: float
    added_p50_ms: float
    added_p99_ms: float
    cpu_ms_per_stream: float
    memory_mb: float
    ready_seconds: float
    cache_commands_per_request: float


def medians(rounds: list[Figures]) -> Figures:
    """The median of each figure over the rounds."""
    rows = [asdict(figures) for figures in rounds]
    return Figures(**{name: median(row[name] for row in rows) for name in rows[0]})


def figures(candidate: Candidate, surroundings: Surroundings, seconds: int) -> Figures:
    """Start a candidate, measure for about three times `seconds`, stop it; raises UnavailableError."""
    with own_scratch(surroundings) as around, started(candidate, around) as running:
        try:
            return _measure(candidate, around, running, seconds)
        except (RuntimeError, OSError, EOFError) as error:
            raise UnavailableError(f"failed under load: {error}") from error


def _measure(candidate: Candidate, around: Surroundings, running: Running, seconds: int) -> Figures:
    target, process = running.target, running.process
    per_second = warm_up(running)
    commands = cache_commands(around)
    enough_seconds = max(seconds, min(_MOST_SECONDS, math.ceil(_LEAST_REQUESTS / per_second)))
    whole, cpu_ms_per_request = cpu_ms_each(process, target, CONCURRENT, enough_seconds)
    commands_each = (cache_commands(around) - commands) / whole.completed
    if candidate.uses_cache and commands_each < 1:
        raise UnavailableError(f"sent Valkey {commands_each:.2f} commands a request, so its limits were off")
    # One after the other, so that they differ in nothing but the candidate.
    direct = load.send_requests(provider(around), connections=CONCURRENT_SLOW, seconds=seconds, prompt=SLOWLY)
    slow = load.send_requests(target, connections=CONCURRENT_SLOW, seconds=seconds, prompt=SLOWLY)
    before = processes.cpu_seconds(process)
    streams = load.read_streams(target, concurrent=CONCURRENT_STREAMS, seconds=seconds, prompt=PACED)
    cpu_of_streams = processes.cpu_seconds(process) - before
    return Figures(
        cpu_ms_per_request=cpu_ms_per_request,
        requests_per_second=whole.per_second,
        added_p50_ms=slow.p50_ms - direct.p50_ms,
        added_p99_ms=slow.p99_ms - direct.p99_ms,
        cpu_ms_per_stream=1000 * cpu_of_streams / streams.completed,
        memory_mb=processes.memory_mb(process),
        ready_seconds=running.ready_seconds,
        cache_commands_per_request=commands_each,
    )


def warm_up(running: Running) -> float:
    """Send requests until a candidate is as fast as it gets, then let it rest; its requests a second."""
    sent = 0
    for _ in range(_WARM_UP_BURSTS):
        burst = load.send_requests(
            running.target, connections=CONCURRENT_SLOW, seconds=_WARM_UP_BURST_SECONDS
        )
        sent += burst.completed
        if sent >= _WARM_UP_REQUESTS:
            break
    # It may still be working on what wrk left unanswered.
    cpu = -1.0
    while (used := processes.cpu_seconds(running.process)) - cpu > _IDLE_SECONDS / 10:
        cpu = used
        time.sleep(_IDLE_SECONDS)
    return burst.per_second


def cpu_ms_each(
    process: Popen[bytes], target: Target, connections: int, seconds: int
) -> tuple[load.Requests, float]:
    """Send requests for so long; what wrk saw and the process tree's CPU time for each."""
    before = processes.cpu_seconds(process)
    requests = load.send_requests(target, connections=connections, seconds=seconds)
    return requests, 1000 * (processes.cpu_seconds(process) - before) / requests.completed


def provider(around: Surroundings) -> Target:
    """The mock provider itself."""
    return Target(port=int(around.upstream_url.rpartition(":")[2].partition("/")[0]))
