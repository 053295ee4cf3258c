"""What the gateway must reach beside its peers, and what it aims for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.endurance import Endurance
from bench.gatehouse import gatehouse
from bench.measure import Figures
from bench.peers import LITELLM, NGINX, PORTKEY, TENSORZERO
from bench.scaling import Scaling


@dataclass(frozen=True)
class Results:
    """All that was measured: figures by candidate, or the reason why there are none.

    endurance and scaling are None if our gateway could not be measured.
    """

    figures: Mapping[str, Figures]
    reasons: Mapping[str, str]
    endurance: Endurance | None
    scaling: Scaling | None


@dataclass(frozen=True)
class Target:
    """One requirement; more_is_better tells which side of the limits is good."""

    measure: str
    value: Callable[[Results], float | None]
    must: float
    aim: float
    unit: str
    more_is_better: bool = False

    def verdict(self, results: Results) -> str:
        """`aim`, `must`, `missed` or `not measured`."""
        value = self.value(results)
        if value is None:
            return "not measured"
        sign = -1 if self.more_is_better else 1
        if sign * value <= sign * self.aim:
            return "aim"
        return "must" if sign * value <= sign * self.must else "missed"


_OURS = gatehouse().name
# A shorter run shows how a process warms up, not whether it stays as it is.
_LONG_RUN_REQUESTS = 500_000


def _own(figure: Callable[[Figures], float]) -> Callable[[Results], float | None]:
    def value(results: Results) -> float | None:
        ours = results.figures.get(_OURS)
        return None if ours is None else figure(ours)

    return value


def _ratio(
    figure: Callable[[Figures], float], peer: str, *, peer_by_ours: bool = False
) -> Callable[[Results], float | None]:
    """Ours divided by the peer's, or the other way round."""

    def value(results: Results) -> float | None:
        ours, theirs = results.figures.get(_OURS), results.figures.get(peer)
        if ours is None or theirs is None:
            return None
        ratio = figure(ours) / figure(theirs)
        return 1 / ratio if peer_by_ours else ratio

    return value


def _cpu(figures: Figures) -> float:
    return figures.cpu_ms_per_request


def _memory(results: Results) -> float | None:
    return None if results.endurance is None else results.endurance.memory_mb


def _growth(results: Results) -> float | None:
    lasting = results.endurance
    return None if lasting is None or lasting.requests < _LONG_RUN_REQUESTS else lasting.growth_mb


def _scaling(results: Results) -> float | None:
    return None if results.scaling is None else results.scaling.factor


TARGETS = (
    Target(
        "CPU per request: LiteLLM's is",
        _ratio(_cpu, LITELLM.name, peer_by_ours=True),
        30,
        70,
        "x ours",
        more_is_better=True,
    ),
    Target(
        "CPU per request: Portkey's is",
        _ratio(_cpu, PORTKEY.name, peer_by_ours=True),
        2.5,
        5,
        "x ours",
        more_is_better=True,
    ),
    Target("CPU per request: ours is", _ratio(_cpu, TENSORZERO.name), 2.5, 1, "x TensorZero's"),
    Target("CPU per request: ours is", _ratio(_cpu, NGINX.name), 25, 10, "x nginx's"),
    Target(
        "requests a second, 64 concurrent: ours are",
        _ratio(lambda figures: figures.requests_per_second, LITELLM.name),
        30,
        70,
        "x LiteLLM's",
        more_is_better=True,
    ),
    Target("added latency, p50", _own(lambda figures: figures.added_p50_ms), 3, 1, "ms"),
    Target("added latency, p99", _own(lambda figures: figures.added_p99_ms), 10, 4, "ms"),
    Target("CPU per stream of 100 chunks", _own(lambda figures: figures.cpu_ms_per_stream), 6, 3, "ms"),
    Target("memory after many requests", _memory, 120, 90, "MB"),
    Target("its growth, first third to last", _growth, 3, 1, "MB"),
    Target("start to first answer", _own(lambda figures: figures.ready_seconds), 1, 0.5, "s"),
    Target("two workers serve", _scaling, 1.8, 1.95, "x one's", more_is_better=True),
)
