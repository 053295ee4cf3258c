"""The section `image`."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gatehouse.image_policy import VERSION, advisories, parse_version
from gateway.catalog.names import Region
from gateway.validation import Breach, pattern, refuse
from stacks.config.section import Section

Uri = Annotated[
    str,
    pattern(
        r"^[a-z0-9][a-z0-9.\-]*(:\d+)?(/[a-z0-9._\-]+)+@sha256:[0-9a-f]{64}$",
        "an image by its digest: registry/repository@sha256: and 64 hexadecimal digits; tags can be moved",
        "111111111111.dkr.ecr.us-east-1.amazonaws.com/gatehouse-dev/gateway@sha256:"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
]
VariableName = Annotated[
    str, pattern(r"^[A-Za-z_][A-Za-z0-9_.\-]*$", "the name of an environment variable", "LOG_LEVEL")
]
SecretReference = Annotated[
    str,
    pattern(
        r"^arn:aws[a-z\-]*:secretsmanager:[a-z0-9\-]+:\d{12}:secret:[A-Za-z0-9/_+=.@\-]+-[A-Za-z0-9]{6}"
        r"(:[A-Za-z0-9_\-]+::)?$",
        "a secret's complete ARN, with :field:: after it for one field of a JSON object",
        "arn:aws:secretsmanager:us-east-1:111111111111:secret:litellm-license-AbCdEf",
    ),
]
_PRIVATE_REGISTRY = re.compile(r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.[a-z.]+/")
# The first that signs in to ElastiCache as an IAM principal (docs.litellm.ai, release notes of 1.102.0).
_LITELLM_MINIMUM = "1.102.0"
# What a worker of LiteLLM needs (docs.litellm.ai/docs/proxy/prod), and the Java heap of DIAL Core.
_MINIMUM_MEMORY_MIB: Mapping[str, int] = {"litellm": 4096, "dial": 2048}


def is_in_private_registry(uri: str) -> bool:
    """Whether an image is in a registry of Amazon ECR that belongs to an account."""
    return _PRIVATE_REGISTRY.match(uri) is not None


class Image(Section):
    """Which gateway the platform runs, and how its images are kept."""

    profile: Annotated[
        Literal["gatehouse", "litellm", "dial", "custom"],
        Field(
            description="gatehouse is the bundled gateway, built from this repository. litellm and dial run "
            "those projects' own images, custom any other: docs/images.md."
        ),
    ] = "gatehouse"
    uri: Annotated[Uri | None, Field(description="The image; for gatehouse none.")] = None
    version: Annotated[
        str | None,
        pattern(
            f"^{VERSION}$",
            "a version: three numbers with dots, and a suffix at most",
            "1.109.3",
            "The image's version, which known weaknesses are looked up by.",
        ),
    ] = None
    port: Annotated[
        int | None, Field(ge=1, le=65535, examples=[8080], description="For custom alone: where it serves.")
    ] = None
    health_path: Annotated[
        str | None,
        pattern(
            r"^/[!-~]{0,127}$",
            "a path that begins with /",
            "/health",
            "For custom alone: what the load balancer asks. It must not depend on other services.",
        ),
    ] = None
    user: Annotated[
        int | None,
        Field(
            ge=1, le=65535, examples=[1001], description="For custom alone: the user's number in the image."
        ),
    ] = None
    command: Annotated[
        tuple[str, ...],
        Field(examples=[["serve", "--port", "8080"]], description="For custom alone: in place of its own."),
    ] = ()
    environment: Annotated[
        dict[VariableName, str],
        Field(
            default_factory=dict,
            examples=[{"LOG_LEVEL": "INFO"}],
            description="Further variables of the image, or other values of the profile's.",
        ),
    ] = Field(default_factory=dict)
    secrets: Annotated[
        dict[VariableName, SecretReference],
        Field(
            default_factory=dict,
            description="Variables that ECS reads from Secrets Manager, encrypted with the data key.",
        ),
    ] = Field(default_factory=dict)
    signing: Annotated[
        bool,
        Field(
            description="Sign each image that is pushed. A registry has one signing configuration: false in "
            "all but one of the environments that share an account and region."
        ),
    ] = True
    enhanced_scanning: Annotated[
        bool,
        Field(
            description="Let Amazon Inspector watch the images for new weaknesses. It is a setting of the "
            "whole registry: no other repository of the account and region is scanned at a push then."
        ),
    ] = False
    replicate_to: Annotated[
        tuple[Region, ...],
        Field(
            max_length=5,
            examples=[["us-west-2"]],
            description="Regions that get a copy of each image. It is a setting of the whole registry.",
        ),
    ] = ()

    @property
    def minimum_memory_mib(self) -> int:
        """What one task of the profile's gateway needs, in MiB."""
        return _MINIMUM_MEMORY_MIB.get(self.profile, 0)

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse(self._breaches())
        return self

    def _breaches(self) -> Iterator[Breach]:
        of_images = {"uri": self.uri, "version": self.version}
        of_custom = {"port": self.port, "health_path": self.health_path, "user": self.user}
        if self.profile == "gatehouse":
            given = {**of_images, "environment": self.environment, "secrets": self.secrets}
            yield from _superfluous(given, "nothing: the bundled gateway is built and configured from here")
        else:
            yield from _missing(of_images, self.profile)
        if self.profile == "custom":
            yield from _missing(of_custom, self.profile)
        else:
            yield from _superfluous(
                {**of_custom, "command": self.command}, f"nothing: the profile {self.profile} says it"
            )
        if self.uri is not None and self.version is not None:
            yield from _unsafe(self.uri, self.version, self.profile)
        for name in sorted(self.environment.keys() & self.secrets.keys()):
            value = self.environment[name]
            yield Breach(("environment", name), value, "a name that secrets does not have", "remove one")


def _superfluous(given: Mapping[str, object], allowed: str) -> Iterator[Breach]:
    for name, value in given.items():
        if value:
            yield Breach((name,), value, allowed, "remove it, or choose another profile")


def _missing(given: Mapping[str, object], profile: str) -> Iterator[Breach]:
    for name, value in given.items():
        if value is None:
            yield Breach((name,), "missing", f"required with profile {profile}", f"add {name}")


def _unsafe(uri: str, version: str, profile: str) -> Iterator[Breach]:
    is_litellm = profile == "litellm"
    known = list(advisories(uri, version, is_litellm=is_litellm))
    if known:
        fixed = ".".join(map(str, max(advisory.fixed for advisory in known)))
        open_to = ", ".join(advisory.identifier for advisory in known)
        allowed = (
            f"LiteLLM {fixed} or later, because {uri} is open to {open_to} "
            "(sources in constructs/gatehouse/image_policy.py)"
        )
        yield Breach(("version",), version, allowed, f"use an image of {fixed} or later")
    elif is_litellm and parse_version(version) < parse_version(_LITELLM_MINIMUM):
        allowed = f"{_LITELLM_MINIMUM} or later, which signs in to the cache without a password"
        yield Breach(("version",), version, allowed, f"use an image of {_LITELLM_MINIMUM} or later")
