"""The model catalog: which public models this gateway serves and what stands behind each.

The platform validates its files against these models at synthesis; the gateway loads the same
document, as JSON, from AppConfig or a file. One schema for both.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.validation import Breach, pattern, refuse

ModelName = Annotated[
    str,
    pattern(
        r"^[a-zA-Z0-9][a-zA-Z0-9._:/-]{0,127}$",
        "1 to 128 letters, digits or . _ : / -, beginning with a letter or digit",
        "claude-haiku-4-5",
    ),
]
DeploymentName = Annotated[
    str,
    pattern(
        r"^[a-z0-9][a-z0-9-]{0,62}$",
        "1 to 63 lower-case letters, digits or hyphens, beginning with a letter or digit",
        "claude-haiku-4-5-us",
        "Unique within the catalog; in logs and headers.",
    ),
]
Region = Annotated[str, pattern(r"^[a-z]{2}(-[a-z]+)+-\d$", "the code of an AWS region", "us-east-1")]
# What stands before the model in the ID of a cross-region inference profile.
_PROFILE_SCOPES = ("us", "us-gov", "eu", "apac", "jp", "au", "ca", "global")
BedrockModelId = Annotated[
    str,
    pattern(
        rf"^(({'|'.join(_PROFILE_SCOPES)})\.)?[a-z0-9-]+\.[a-z0-9.:-]+$",
        "a Bedrock model ID (provider.model), for a cross-region inference profile after one of "
        "us., us-gov., eu., apac., jp., au., ca. or global.",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "A foundation model's ID or a cross-region inference profile's ID.",
    ),
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TimeLimits(_Frozen):
    """How long one attempt may take, in seconds."""

    connect_seconds: Annotated[float, Field(ge=0.1, le=60)] = 3
    first_byte_seconds: Annotated[float, Field(ge=1, le=900)] = 120
    between_chunks_seconds: Annotated[float, Field(ge=1, le=900)] = 60


class BedrockDeployment(_Frozen):
    """A model of Amazon Bedrock in one region, called through Converse and ConverseStream."""

    name: DeploymentName
    provider: Literal["bedrock"]
    region: Region
    model_id: BedrockModelId
    time_limits: TimeLimits = TimeLimits()

    @property
    def is_inference_profile(self) -> bool:
        """Whether the model is called through a cross-region inference profile."""
        return self.model_id.split(".", 1)[0] in _PROFILE_SCOPES

    @property
    def foundation_model(self) -> str:
        """The foundation model's ID, without the scope of an inference profile."""
        return self.model_id.split(".", 1)[1] if self.is_inference_profile else self.model_id


class Model(_Frozen):
    """A model as callers name it."""

    name: ModelName
    max_output_tokens: Annotated[
        int,
        Field(
            ge=1,
            examples=[4096],
            description="Sent when the caller names no limit: Bedrock reserves quota by it.",
        ),
    ]
    deployments: Annotated[tuple[BedrockDeployment, ...], Field(min_length=1, max_length=1)]


class Catalog(_Frozen):
    """The whole model configuration of one environment."""

    models: Annotated[tuple[Model, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        models = [(("models", i, "name"), model.name) for i, model in enumerate(self.models)]
        deployments = [
            (("models", i, "deployments", j, "name"), deployment.name)
            for i, model in enumerate(self.models)
            for j, deployment in enumerate(model.deployments)
        ]
        refuse([*_repeated(models, "model"), *_repeated(deployments, "deployment")])
        return self


def _repeated(names: Iterable[tuple[tuple[str | int, ...], str]], kind: str) -> Iterator[Breach]:
    seen: set[str] = set()
    for path, name in names:
        if name in seen:
            yield Breach(path, name, f"a name no other {kind} of the catalog has", "rename one of the two")
        seen.add(name)
