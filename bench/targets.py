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
    """One requirement; more_is_better tells which side of the limits is good.

    floor: the same of nginx in the same run, where the figure is also one of the machine.
    """

    measure: str
    value: Callable[[Results], float | None]
    must: float
    aim: float
    unit: str
    more_is_better: bool = False
    floor: Callable[[Results], float | None] = lambda _: None

    def verdict(self, results: Results) -> str:
        """`aim`, `must`, `missed` or `not measured`."""
        value = self.value(results)
        if value is None:
            return "not measured"
        sign = -1 if self.more_is_better else 1
        if sign * value <= sign * self.aim:
            return "aim"
        return "must" if sign * value <= sign * self.must else "missed"

    def is_beyond_floor(self, results: Results) -> bool:
        """Whether not even nginx stays within the limit on this machine."""
        floor = self.floor(results)
        return floor is not None and floor > self.must


_OURS = gatehouse().name
# A shorter run shows how a process warms up, not whether it stays as it is.
_LONG_RUN_REQUESTS = 500_000


def _of(name: str, figure: Callable[[Figures], float]) -> Callable[[Results], float | None]:
    def value(results: Results) -> float | None:
        figures = results.figures.get(name)
        return None if figures is None else figure(figures)

    return value


def _beyond(figure: Callable[[Figures], float], peer: str) -> Callable[[Results], float | None]:
    """How much more ours is than the peer's."""

    def value(results: Results) -> float | None:
        ours, theirs = results.figures.get(_OURS), results.figures.get(peer)
        return None if ours is None or theirs is None else figure(ours) - figure(theirs)

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


def _cpu_of_stream(figures: Figures) -> float:
    return figures.cpu_ms_per_stream


def _added_p50(figures: Figures) -> float:
    return figures.added_p50_ms


def _added_p99(figures: Figures) -> float:
    return figures.added_p99_ms


def _memory(results: Results) -> float | None:
    return None if results.endurance is None else results.endurance.memory_mb


def _growth(results: Results) -> float | None:
    lasting = results.endurance
    return None if lasting is None or lasting.requests < _LONG_RUN_REQUESTS else lasting.growth_mb


def _scaling(results: Results) -> float | None:
    return None if results.scaling is None else results.scaling.factor


def _beside_nginx(measure: str, figure: Callable[[Figures], float], must: float, aim: float) -> Target:
    """A limit in milliseconds on what the machine has a part in."""
    return Target(measure, _of(_OURS, figure), must, aim, "ms", floor=_of(NGINX.name, figure))


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
    _beside_nginx("added latency, p50", _added_p50, 3, 1),
    _beside_nginx("added latency, p99", _added_p99, 10, 4),
    _beside_nginx("CPU per stream of 100 chunks", _cpu_of_stream, 6, 3),
    # What is left of the limits above where nginx adds 0.5 and 1.5 ms and takes 3 ms for a stream, as it does
    # on a quiet machine.
    Target("added latency, p50: beyond nginx's", _beyond(_added_p50, NGINX.name), 2.5, 0.5, "ms"),
    Target("added latency, p99: beyond nginx's", _beyond(_added_p99, NGINX.name), 8.5, 2.5, "ms"),
    Target("CPU per stream of 100 chunks: ours is", _ratio(_cpu_of_stream, NGINX.name), 2, 1, "x nginx's"),
    Target("memory after many requests", _memory, 120, 90, "MB"),
    Target("its growth, first third to last", _growth, 3, 1, "MB"),
    Target("start to first answer", _of(_OURS, lambda figures: figures.ready_seconds), 1, 0.5, "s"),
    Target("two workers serve", _scaling, 1.8, 1.95, "x one's", more_is_better=True),
)
