"""How a model's requests are spread over its deployments. Tiers come first, whatever the strategy."""

from typing import Annotated, Literal

from pydantic import Field

from gateway.catalog.names import DeploymentName, Frozen
from gateway.validation import pattern


class Weighted(Frozen):
    """At random, by weight, among the deployments that are available."""

    kind: Literal["weighted"] = "weighted"


class InOrder(Frozen):
    """The first deployment of the list that is available."""

    kind: Literal["fallback"]


class Percentage(Frozen):
    """At random by shares that add up to 100; an unavailable deployment's share goes to the others."""

    kind: Literal["percentage"]
    shares: dict[DeploymentName, Annotated[float, Field(gt=0, le=100)]]


class Optimized(Frozen):
    """The deployment that is best by what this process measured lately, or by price."""

    kind: Literal["optimized"]
    metric: Literal["latency", "time_to_first_token", "error_rate", "cost"]


class Condition(Frozen):
    """A test of a request.

    field: caller, operation, stream, tools, images, input_tokens (estimated), max_output_tokens,
    metadata.<key> (of the request's metadata) or header.<name>. A field that the request lacks fails
    every test but not_in.
    """

    field: Annotated[
        str,
        pattern(
            r"^(caller|operation|stream|tools|images|input_tokens|max_output_tokens"
            r"|metadata\.[\w.-]{1,64}|header\.[a-z0-9-]{1,64})$",
            "caller, operation, stream, tools, images, input_tokens, max_output_tokens, metadata. and a key "
            "of the request's metadata, or header. and a header's name in lower case",
            "header.x-priority",
        ),
    ]
    is_in: Annotated[tuple[str | bool | float, ...], Field(min_length=1)] | None = None
    not_in: Annotated[tuple[str | bool | float, ...], Field(min_length=1)] | None = None
    at_least: float | None = None
    at_most: float | None = None


class Route(Frozen):
    """Deployments for the requests that meet all conditions; none means every request."""

    when: tuple[Condition, ...] = ()
    deployments: Annotated[tuple[DeploymentName, ...], Field(min_length=1)]


class Conditional(Frozen):
    """The first route whose conditions hold, by weight among its deployments."""

    kind: Literal["conditional"]
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]


Strategy = Annotated[Weighted | InOrder | Percentage | Optimized | Conditional, Field(discriminator="kind")]
