"""Whether our gateway's memory stays what it is over many requests."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from bench import load, processes
from bench.candidate import Surroundings, started
from bench.gatehouse import gatehouse
from bench.measure import CONCURRENT, warm_up
from bench.surroundings import own_scratch

_SECONDS_BETWEEN_SAMPLES = 5


@dataclass(frozen=True)
class Endurance:
    """memory_mb is at the end; growth_mb from the mean of the first third to that of the last."""

    requests: int
    memory_mb: float
    growth_mb: float


def endurance(around: Surroundings, requests: int) -> Endurance:
    """Send so many requests, or a few more; raises UnavailableError and RuntimeError."""
    with own_scratch(around) as own, started(gatehouse(), own) as running:
        warm_up(running)
        sent, samples = 0, [processes.memory_mb(running.process)]
        began = time.monotonic()
        while sent < requests or len(samples) < 3:
            burst = load.send_requests(
                running.target, connections=CONCURRENT, seconds=_SECONDS_BETWEEN_SAMPLES
            )
            sent += burst.completed
            samples.append(processes.memory_mb(running.process))
            seconds_left = (requests - sent) * (time.monotonic() - began) / sent
            print(
                f"  {sent} of {requests} requests, {samples[-1]:.1f} MB, {max(0, seconds_left):.0f} s left",
                file=sys.stderr,
            )
    return Endurance(sent, samples[-1], _growth(samples))


def _growth(samples: Sequence[float]) -> float:
    third = len(samples) // 3
    return mean(samples[-third:]) - mean(samples[:third])
