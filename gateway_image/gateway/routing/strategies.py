"""In which order deployments of one tier are preferred for a call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from random import Random

from gateway import prices
from gateway.call import Call
from gateway.catalog import Deployment, Model
from gateway.catalog.strategies import InOrder, Optimized, Percentage
from gateway.prices import price_of
from gateway.providers import Usage
from gateway.routing.states import Clock, DeploymentState

# How much worse than the best a figure may be to count as just as good: as a factor, and added to it.
_CLOSE = {
    "latency": (1.1, 0.0),
    "time_to_first_token": (1.1, 0.0),
    "error_rate": (1.0, 0.01),
    "cost": (1.0, 0.0),
}
_FIGURE = itemgetter(0)


@dataclass(slots=True, eq=False)
class Candidate:
    """A deployment that may serve calls of a model.

    limited: whether its capacity has a limit.
    """

    model: Model
    deployment: Deployment
    state: DeploymentState
    weight: float
    limited: bool


Candidates = list[Candidate]
# Sorts some of a tier's deployments, the one to ask first first.
Order = Callable[[Candidates, Call], Candidates]


def weight(model: Model, deployment: Deployment) -> float:
    """The share of a deployment among those of its tier, in no particular unit."""
    strategy = model.strategy
    return strategy.shares[deployment.name] if isinstance(strategy, Percentage) else deployment.weight


def order(model: Model, random: Random, clock: Clock) -> Order:
    """How the model's strategy sorts deployments."""
    match model.strategy:
        case InOrder():
            return lambda candidates, _call: candidates
        case Optimized(metric="cost"):
            return lambda candidates, call: _best_first(
                [(cost(candidate, call), candidate) for candidate in candidates], "cost", random
            )
        case Optimized(metric=metric):
            return lambda candidates, _call: _measured_first(candidates, metric, random, clock())
    return lambda candidates, _call: by_weight(candidates, random)


def by_weight(candidates: Sequence[Candidate], random: Random) -> Candidates:
    """Sort at random; each comes first with a probability of its weight by the sum of weights.

    What comes second is drawn in the same way among the rest, and so on.
    """
    # Of waiting times that are exponentially distributed, the shortest belongs to each by its rate.
    if len(candidates) < 2:
        return list(candidates)
    return sorted(candidates, key=lambda candidate: random.expovariate(candidate.weight))


def cost(candidate: Candidate, call: Call) -> int:
    """What a call costs there in nano-USD, if no cache helps and its answer is as long as it may be."""
    price = price_of(candidate.deployment)
    assert price is not None  # noqa: S101 (the catalog's rules: every deployment has one where cost decides)
    output_tokens = most_output_tokens(call, candidate.model)
    usage = Usage(input_tokens=call.estimated_input_tokens, output_tokens=output_tokens)
    return prices.cost(price, usage)


def most_output_tokens(call: Call, model: Model) -> int:
    """The most tokens that a call's answers may have."""
    if call.operation in ("embeddings", "count_tokens"):
        return 0
    return (call.max_output_tokens or model.max_output_tokens) * call.answers


def _measured_first(candidates: Candidates, metric: str, random: Random, now: float) -> Candidates:
    """Sort by a figure; one without it is asked first, but by one request at a time, until it has it."""
    measured: list[tuple[float, Candidate]] = []
    idle: Candidates = []
    busy: Candidates = []
    for candidate in candidates:
        figure = getattr(candidate.state.figures, metric).current(now)
        if figure is not None:
            measured.append((figure, candidate))
        elif candidate.state.in_flight:
            busy.append(candidate)
        else:
            idle.append(candidate)
    return by_weight(idle, random) + _best_first(measured, metric, random) + by_weight(busy, random)


def _best_first(measured: list[tuple[float, Candidate]], metric: str, random: Random) -> Candidates:
    """Sort by a figure that is better the lower it is; among those as good as the best weight decides."""
    if not measured:
        return []
    factor, addend = _CLOSE[metric]
    measured.sort(key=_FIGURE)
    limit = measured[0][0] * factor + addend
    good = [candidate for figure, candidate in measured if figure <= limit]
    return by_weight(good, random) + [candidate for _, candidate in measured[len(good) :]]
