"""The deployments behind each model of the catalog, by tier."""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from random import Random

from gateway.call import Call
from gateway.callers import Caller
from gateway.catalog import Model
from gateway.catalog.strategies import Conditional
from gateway.prices import price_of
from gateway.routing.conditions import Test, all_hold
from gateway.routing.states import Clock, DeploymentState
from gateway.routing.strategies import Candidate, Candidates, Order, order, weight


class Pool:
    """The deployments that may serve a call."""

    def __init__(self, candidates: Sequence[Candidate], order: Order) -> None:
        def tier(candidate: Candidate) -> int:
            return candidate.deployment.tier

        self.candidates = tuple(candidates)
        self._tiers = tuple(tuple(group) for _, group in groupby(sorted(candidates, key=tier), key=tier))
        self._order = order

    def free(self, call: Call, now: float, passed_over: Collection[str]) -> Candidates:
        """Those that are not cooling, as preferred, down to a tier that surely has capacity left."""
        free: Candidates = []
        for tier in self._tiers:
            here = [c for c in tier if c.state.cooling_until <= now and c.state.name not in passed_over]
            free += self._order(here, call) if len(here) > 1 else here
            if not all(candidate.limited for candidate in here):
                break
        return free

    def cooling(self, now: float, passed_over: Collection[str]) -> Candidates:
        """Those that are cooling, the one that is due back soonest first."""
        cooling = [
            c for c in self.candidates if c.state.cooling_until > now and c.state.name not in passed_over
        ]
        return sorted(cooling, key=lambda candidate: candidate.state.cooling_until)


class RoutedModel:
    """A model of the catalog with the pools its calls are served from.

    is_priced: whether all its deployments have a price.
    """

    def __init__(
        self, model: Model, states: Mapping[str, DeploymentState], *, random: Random, clock: Clock
    ) -> None:
        self.model = model
        self.is_priced = all(price_of(deployment) is not None for deployment in model.deployments)
        candidates = {
            deployment.name: Candidate(
                model=model,
                deployment=deployment,
                state=states[deployment.name],
                weight=weight(model, deployment),
                limited=deployment.capacity.requests_per_minute is not None
                or deployment.capacity.tokens_per_minute is not None,
            )
            for deployment in model.deployments
        }
        strategy, ordering = model.strategy, order(model, random, clock)
        self._routes: list[tuple[Test, Pool]] = []
        self._otherwise = Pool(tuple(candidates.values()), ordering)
        if isinstance(strategy, Conditional):
            routes = [
                (
                    all_hold(route.when),
                    Pool([candidates[name] for name in dict.fromkeys(route.deployments)], ordering),
                )
                for route in strategy.routes
            ]
            # The catalog's rules: the last route takes every call.
            *self._routes, (_, self._otherwise) = routes

    def pool(self, call: Call, caller: Caller) -> Pool:
        """The deployments that may serve a call."""
        for test, pool in self._routes:
            if test(call, caller):
                return pool
        return self._otherwise
