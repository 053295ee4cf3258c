"""What a call may use at the most, to reserve it before it is known."""

from collections.abc import Sequence

from gateway.admission.outcome import Needs
from gateway.call import Call
from gateway.callers import Caller
from gateway.catalog import Model
from gateway.errors import invalid_request
from gateway.prices import asks_for_long_writes, highest_cost, may_hide_names, price_of
from gateway.routing.strategies import most_output_tokens

# Those that cost no more than the prices say.
_SERVICE_TIERS = (b'"auto"', b'"default"', b'"flex"', b"null")


def highest_needs(call: Call, caller: Caller, models: Sequence[Model]) -> Needs:
    """The tokens and the cost that no attempt at a deployment of these models exceeds.

    The cost is worked out for callers with a budget only; the models all have prices then.
    """
    if call.operation == "count_tokens":
        return Needs()
    input_tokens = call.estimated_input_tokens
    tokens = input_tokens + max(most_output_tokens(call, model) for model in models)
    if not caller.has_budget(call.model):
        return Needs(tokens)
    long_writes = asks_for_long_writes(call.body)
    nano_usd = max(
        highest_cost(
            price,
            input_tokens=input_tokens,
            output_tokens=most_output_tokens(call, model),
            long_writes=long_writes,
        )
        for model in models
        for deployment in model.deployments
        if (price := price_of(deployment)) is not None
    )
    return Needs(tokens, nano_usd)


def refuse_dearer_service(call: Call) -> None:
    """Raise GatewayError 400 if a call asks for a service tier that costs more than its prices say."""
    if b"service_tier" not in call.body and not may_hide_names(call.body):
        return
    tier = call.fields.get("service_tier")
    if tier is not None and bytes(tier) not in _SERVICE_TIERS:
        raise invalid_request(
            "service_tier may cost more than the prices that your budget in USD is counted by; leave it out, "
            "or send 'auto', 'default' or 'flex'.",
            param="service_tier",
            code="service_tier_not_allowed",
        )
