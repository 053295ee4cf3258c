"""The catalog as it is served, and how its deployments do in this process."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from gateway.admin.fields import Given, Told
from gateway.admin.front import Answer, Asked
from gateway.admin.invalid import valid_query
from gateway.catalog import Deployment
from gateway.prices import described
from gateway.routing.states import DeploymentState

# Named apart: where a provider's key is kept is nobody's business here.
_NOT_SHOWN = {"api_key_secret", "price"}


class ServedDeployment(Told):
    """A deployment; configuration is as in the catalog. price: null if none is known; budgets refuse then."""

    name: str
    provider: str
    region: str | None
    tier: int
    weight: int
    configuration: dict[str, Any]
    price: dict[str, Any] | None


class ServedModel(Told):
    """A model as callers name it."""

    name: str
    max_output_tokens: int
    strategy: dict[str, Any]
    fallbacks: list[str]
    max_attempts: int
    deadline_seconds: float
    response_cache_seconds: int | None
    deployments: list[ServedDeployment]


class ServedModels(Told):
    """The whole catalog."""

    data: list[ServedModel]


class DeploymentStanding(Told):
    """How a deployment does, as far as the process that answers knows.

    cooling_until: it is left alone until then, for the reason `cause`. failures: how often in a row it failed
    for another cause than throttling. in_flight: requests of this process under way there. latency and
    time_to_first_token in seconds, error_rate from 0 to 1: of the last five minutes, null without a request.
    """

    name: str
    model: str
    provider: str
    region: str | None
    state: Literal["available", "cooling"]
    cooling_until: datetime | None
    cause: Literal["throttled", "failing"] | None
    failures: int
    last_error_code: str | None
    in_flight: int
    latency_seconds: float | None
    time_to_first_token_seconds: float | None
    error_rate: float | None


class DeploymentStandings(Told):
    """All deployments of the catalog."""

    data: list[DeploymentStanding]


async def list_models(asked: Asked) -> Answer:
    """List the catalog's models with their deployments and prices."""
    valid_query(Given, asked.request.query)
    models = [
        ServedModel(
            name=model.name,
            max_output_tokens=model.max_output_tokens,
            strategy=model.strategy.model_dump(mode="json"),
            fallbacks=list(model.fallbacks),
            max_attempts=model.max_attempts,
            deadline_seconds=model.deadline_seconds,
            response_cache_seconds=model.response_cache.ttl_seconds if model.response_cache else None,
            deployments=[_served(deployment) for deployment in model.deployments],
        )
        for model in asked.parts.catalog().models
    ]
    return Answer(ServedModels(data=models))


async def list_deployments(asked: Asked) -> Answer:
    """List how each deployment does in the process that answers."""
    valid_query(Given, asked.request.query)
    standings = [
        _standing(asked, model.name, deployment)
        for model in asked.parts.catalog().models
        for deployment in model.deployments
    ]
    return Answer(DeploymentStandings(data=standings))


def _served(deployment: Deployment) -> ServedDeployment:
    shown = deployment.model_dump(mode="json", exclude=_NOT_SHOWN, exclude_none=True)
    return ServedDeployment(
        **{name: shown.pop(name) for name in ("name", "provider", "tier", "weight")},
        region=shown.pop("region", None),
        configuration=shown,
        price=described(deployment),
    )


def _standing(asked: Asked, model: str, deployment: Deployment) -> DeploymentStanding:
    states = asked.parts.states
    now, state = states.clock(), states.of(deployment.name) or DeploymentState(deployment.name)
    cooling_seconds = state.cooling_until - now
    is_cooling = cooling_seconds > 0
    figures = state.figures
    return DeploymentStanding(
        name=deployment.name,
        model=model,
        provider=deployment.provider,
        region=deployment.region,
        state="cooling" if is_cooling else "available",
        cooling_until=datetime.now(UTC) + timedelta(seconds=cooling_seconds) if is_cooling else None,
        cause=state.cause if is_cooling else None,
        failures=state.failures,
        last_error_code=state.last_error_code,
        in_flight=state.in_flight,
        latency_seconds=figures.latency.current(now),
        time_to_first_token_seconds=figures.time_to_first_token.current(now),
        error_rate=figures.error_rate.current(now),
    )
