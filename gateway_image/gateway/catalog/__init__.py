"""The model catalog: which public models this gateway serves and what stands behind each.

The platform validates its files against these models at synthesis; the gateway loads the same
document, as JSON, from AppConfig or a file. One schema for both.
"""

from functools import cached_property
from typing import Annotated, Self

from pydantic import Field, model_validator

from gateway.catalog.deployments import (
    BedrockDeployment,
    Capacity,
    Deployment,
    Guardrail,
    OpenAICompatibleDeployment,
    Price,
    SageMakerDeployment,
    TimeLimits,
)
from gateway.catalog.names import Frozen, ModelName
from gateway.catalog.rules import breaches
from gateway.catalog.strategies import Strategy, Weighted
from gateway.validation import refuse

__all__ = [
    "BedrockDeployment",
    "Capacity",
    "Catalog",
    "Deployment",
    "Guardrail",
    "Model",
    "OpenAICompatibleDeployment",
    "Price",
    "SageMakerDeployment",
    "Strategy",
    "TimeLimits",
]


class ResponseCache(Frozen):
    """Answers to the same request of the same caller are kept and given again."""

    ttl_seconds: Annotated[int, Field(ge=1, le=86_400)]


class Model(Frozen):
    """A model as callers name it."""

    name: ModelName
    max_output_tokens: Annotated[
        int,
        Field(
            ge=1,
            examples=[4096],
            description="Sent when the caller names no limit: Bedrock reserves quota by it.",
        ),
    ] = 4096
    deployments: Annotated[
        tuple[Annotated[Deployment, Field(discriminator="provider")], ...],
        Field(min_length=1, max_length=100),
    ]
    strategy: Strategy = Weighted()
    fallbacks: Annotated[
        tuple[ModelName, ...],
        Field(max_length=10, description="Models that answer, in this order, when no deployment can."),
    ] = ()
    max_attempts: Annotated[int, Field(ge=1, le=5, description="At all deployments together.")] = 5
    deadline_seconds: Annotated[
        float, Field(ge=1, le=900, description="For all attempts together, until the answer begins.")
    ] = 590
    response_cache: ResponseCache | None = None


class Catalog(Frozen):
    """The whole model configuration of one environment."""

    models: Annotated[tuple[Model, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        refuse(breaches(self.models))
        return self

    @cached_property
    def by_name(self) -> dict[str, Model]:
        """The models by the name callers use."""
        return {model.name: model for model in self.models}
