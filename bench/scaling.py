"""What a second worker adds.

A machine of two cores cannot show it directly: the load generator, the provider and Valkey need a core
themselves. So two workers get both cores and share them with the load; what they would serve on two cores of
their own follows from what a request costs then, and from how evenly they share the requests: the busier one
is full first.
"""

from dataclasses import dataclass

from bench import load, processes
from bench.candidate import Surroundings, started
from bench.gatehouse import gatehouse
from bench.measure import CONCURRENT, warm_up
from bench.processes import CANDIDATE_CORE, LOAD_CORE
from bench.surroundings import own_scratch


@dataclass(frozen=True)
class Scaling:
    """busiest_share: the busier worker's part of the workers' CPU time.

    requests_per_second: as seen, so of two workers in what the load leaves of two cores.
    """

    cpu_ms_per_request_of_one: float
    cpu_ms_per_request_of_two: float
    busiest_share: float
    requests_per_second_of_one: float
    requests_per_second_of_two: float

    @property
    def factor(self) -> float:
        """How many times what one worker serves on a core, two serve on two."""
        return self.cpu_ms_per_request_of_one / self.cpu_ms_per_request_of_two / self.busiest_share


def scaling(one: Surroundings, two: Surroundings, seconds: int) -> Scaling:
    """Measure one worker beside the load and two among it; raises UnavailableError and RuntimeError.

    The mock provider and Valkey of `one` have the load's core, those of `two` have all.
    """
    of_one, cpu_of_one, _ = _measure(one, 1, seconds)
    of_two, cpu_of_two, busiest_share = _measure(two, 2, seconds)
    return Scaling(cpu_of_one, cpu_of_two, busiest_share, of_one.per_second, of_two.per_second)


def _measure(around: Surroundings, workers: int, seconds: int) -> tuple[load.Requests, float, float]:
    """What wrk saw, the CPU milliseconds of a request, and the busiest worker's share of them."""
    core = CANDIDATE_CORE if workers == 1 else None
    with (
        own_scratch(around) as own,
        started(gatehouse(workers=workers), own, core=core) as running,
    ):
        warm_up(running)
        before = processes.cpu_seconds_each(running.process)
        requests = load.send_requests(
            running.target,
            connections=CONCURRENT,
            seconds=seconds,
            core=LOAD_CORE if workers == 1 else None,
        )
        after = processes.cpu_seconds_each(running.process)
    used = sorted(seconds - before.get(pid, 0) for pid, seconds in after.items())
    return requests, 1000 * sum(used) / requests.completed, used[-1] / sum(used[-workers:])
