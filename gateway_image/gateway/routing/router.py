"""Finds the deployments that may answer a call."""

import asyncio
from random import Random

from gateway.call import Call
from gateway.callers import Caller
from gateway.catalog import Catalog
from gateway.errors import GatewayError
from gateway.identity.errors import model_not_allowed
from gateway.routing.admission import Admission
from gateway.routing.needs import refuse_dearer_service
from gateway.routing.plan import Means, Plan, Sleep
from gateway.routing.pools import RoutedModel
from gateway.routing.states import States


class Router:
    """Plans requests over one catalog; a new catalog takes a new router with the same states."""

    def __init__(
        self,
        catalog: Catalog,
        states: States,
        admission: Admission,
        *,
        random: Random | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Adopt the catalog's deployments into the states, which forget those of other catalogs."""
        # It spreads load and guards nothing.
        random = random or Random()  # noqa: S311
        self._means = Means(states, admission, random, sleep)
        adopted = states.adopt(deployment for model in catalog.models for deployment in model.deployments)
        routed = {
            model.name: RoutedModel(model, adopted, random=random, clock=states.clock)
            for model in catalog.models
        }
        # Only the fallbacks of the model asked for count, not theirs in turn: an operator reads in one place
        # which models can stand in for it.
        self._chains = {
            model.name: [routed[name] for name in (model.name, *model.fallbacks)] for model in catalog.models
        }

    def plan(self, call: Call, caller: Caller) -> Plan:
        """Plan the attempts to answer a call.

        Raises GatewayError: 404 if there is no such model, 403 if the caller may not call it, 400 if it would
        cost more than its prices say and the caller has a budget.
        """
        models = self._chains.get(call.model)
        if models is None:
            raise unknown_model(call.model)
        if not caller.may_call(call.model):
            raise model_not_allowed(caller, call.model)
        has_budget = caller.has_budget(call.model)
        if has_budget:
            refuse_dearer_service(call)
            if not models[0].is_priced:
                raise unpriced_model(call.model)
        # What the caller may not call, and what could not be charged, does not stand in either.
        usable = [
            routed
            for routed in models
            if caller.may_call(routed.model.name) and (routed.is_priced or not has_budget)
        ]
        return Plan(usable, call, caller, self._means)


def unpriced_model(name: str) -> GatewayError:
    """The error for a model without a price, asked for by a caller whose use may only cost so much."""
    return GatewayError(
        403,
        f"The model {name[:128]!r} has no price, and a budget in USD applies to you: the gateway's operators "
        "have to give its deployments a price.",
        type="invalid_request_error",
        code="model_not_priced",
        param="model",
    )


def unknown_model(name: str) -> GatewayError:
    """The error for a model that the catalog does not have."""
    return GatewayError(
        404,
        f"The model {name[:128]!r} does not exist; GET /v1/models lists those that do.",
        type="invalid_request_error",
        code="model_not_found",
        param="model",
    )
