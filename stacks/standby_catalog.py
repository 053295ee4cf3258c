"""The catalog that the standby's gateways serve."""

from collections.abc import Iterator, Mapping, Sequence

from gateway.catalog import (
    BedrockDeployment,
    Catalog,
    Deployment,
    Model,
    OpenAICompatibleDeployment,
    Strategy,
)
from gateway.catalog.strategies import Conditional, Percentage
from gateway.prices import price_of
from gateway.validation import Breach
from stacks.config.model import Environment
from stacks.config.parity import has_model
from stacks.config.placement import may_be_called_from
from stacks.standby import StandbyEnvironment, standby_environment


def standby_catalog(config: StandbyEnvironment, catalog: Catalog) -> Catalog:
    """The catalog with what is called in the primary region moved to the standby's, where it can be.

    Models of Bedrock move, if the model or its profile is known to be there and has a price, and providers'
    keys, whose secrets are copied. A deployment that is then the same as another is left out. What has a
    guardrail stays: without it nothing may be answered, and its copy has another ID. What stays is tried
    after a failover like everything else, and fails while the region is lost.
    """
    models = tuple(_moved_model(config, model) for model in catalog.models)
    return catalog.model_copy(update={"models": models})


def regional_catalogs(config: Environment, catalog: Catalog) -> list[Catalog]:
    """The catalog of each of an environment's regions, the primary's first."""
    here = standby_environment(config)
    return [catalog] if here is None else [catalog, standby_catalog(here, catalog)]


def unserved(config: StandbyEnvironment, catalog: Catalog) -> Iterator[Breach]:
    """Every model of the primary's catalog that nothing answers in the standby region, as a breach of it."""
    standby = standby_catalog(config, catalog)
    served = {
        model.name: any(_outlives(config, deployment) for deployment in model.deployments)
        for model in standby.models
    }
    for index, model in enumerate(catalog.models):
        if not any(served[name] for name in (model.name, *model.fallbacks)):
            yield Breach(
                ("models", index, "deployments"),
                tuple(deployment.name for deployment in model.deployments),
                f"one at least that the standby in {config.region} can call while {config.primary_region} is "
                "lost",
                f"add one in {config.region} or in a third region, or name a model in fallbacks that has one",
            )


def _outlives(config: StandbyEnvironment, deployment: Deployment) -> bool:
    """Whether a deployment answers the standby's gateways when the primary region is lost."""
    if config.standby.network is not None and config.standby.network.nat == "none":
        # There is no way out of the VPC but to the region's own services.
        return deployment.region == config.region
    return deployment.region != config.primary_region


def _moved_model(config: StandbyEnvironment, model: Model) -> Model:
    moved = [_moved(config, deployment) for deployment in model.deployments]
    # What a deployment became that is the same as one which was there: by its name, the other's.
    stayed = {
        _called(before): before.name
        for before, after in zip(model.deployments, moved, strict=True)
        if isinstance(before, BedrockDeployment) and before is after
    }
    same = {
        before.name: stayed[_called(after)]
        for before, after in zip(model.deployments, moved, strict=True)
        if isinstance(after, BedrockDeployment) and before is not after and _called(after) in stayed
    }
    kept = tuple(deployment for deployment in moved if deployment.name not in same)
    return model.model_copy(update={"deployments": kept, "strategy": _renamed(model.strategy, same)})


def _moved(config: StandbyEnvironment, deployment: Deployment) -> Deployment:
    if isinstance(deployment, OpenAICompatibleDeployment):
        secret = deployment.api_key_secret or ""
        # The ARN of a secret's copy differs by the region alone.
        there, here = f":secretsmanager:{config.primary_region}:", f":secretsmanager:{config.region}:"
        if there not in secret:
            return deployment
        return deployment.model_copy(update={"api_key_secret": secret.replace(there, here)})
    if (
        not isinstance(deployment, BedrockDeployment)
        or deployment.region != config.primary_region
        or deployment.guardrail is not None
        or not _is_offered(config.region, deployment)
    ):
        return deployment
    # An application inference profile belongs to its region: its project is not told apart meanwhile.
    moved = deployment.model_copy(update={"region": config.region, "application_profile_arn": None})
    # Budgets in USD refuse calls without a price, so that it has to be named with one there.
    return deployment if price_of(moved) is None and price_of(deployment) is not None else moved


def _is_offered(region: str, deployment: BedrockDeployment) -> bool:
    if deployment.is_inference_profile:
        return may_be_called_from(region, deployment)
    return has_model(region, deployment.foundation_model)


def _called(deployment: BedrockDeployment) -> tuple[str | None, ...]:
    """What makes two deployments the same: who calls what, where and how."""
    return deployment.region, deployment.role_arn, deployment.model_id, deployment.chat_api


def _renamed(strategy: Strategy, same: Mapping[str, str]) -> Strategy:
    if isinstance(strategy, Percentage):
        shares: dict[str, float] = {}
        for name, share in strategy.shares.items():
            shares[same.get(name, name)] = shares.get(same.get(name, name), 0.0) + share
        return strategy.model_copy(update={"shares": shares})
    if isinstance(strategy, Conditional):
        routes = tuple(
            route.model_copy(update={"deployments": _each_once(route.deployments, same)})
            for route in strategy.routes
        )
        return strategy.model_copy(update={"routes": routes})
    return strategy


def _each_once(names: Sequence[str], same: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(same.get(name, name) for name in names))
