"""The section `model_access`."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.validation import Breach, pattern, refuse
from stacks.config.section import AccountId, Section

ExternalId = Annotated[
    str,
    pattern(
        r"^[A-Za-z0-9_+=,.@:/-]{2,256}$",
        "2 to 256 letters, digits or _ + = , . @ : / -",
        "gatehouse-prod",
        "What the roles of other accounts ask for; without it gatehouse, the environment and its account.",
    ),
]
ProjectName = Annotated[
    str,
    pattern(
        r"^[a-z0-9](-?[a-z0-9]){0,31}$",
        "1 to 32 lower-case letters, digits or single hyphens, with a letter or digit at both ends",
        "search",
    ),
]
CheckingRoleArn = Annotated[
    str,
    pattern(
        r"^arn:aws[a-z-]*:iam::\d{12}:role/[a-zA-Z0-9_+=,.@/-]+$",
        "the ARN of an IAM role",
        "arn:aws:iam::333333333333:role/platform-operators",
    ),
]
TopicName = Annotated[
    str,
    pattern(
        r"^[0-9a-zA-Z_!?. -]{1,100}$", "1 to 100 letters, digits, spaces or _ ! ? . -", "Investment advice"
    ),
]
Strength = Literal["none", "low", "medium", "high"]
# The scope of a guardrail profile, by the beginning of the region's code. From "Supported Regions for
# cross-Region guardrail inference" in the Amazon Bedrock User Guide, November 2026.
_GUARDRAIL_SCOPES = {"us-gov-": "us-gov", "us-": "us", "eu-": "eu", "ap-": "apac"}


def guardrail_scope(region: str) -> str | None:
    """The scope of the guardrail profiles of a region; None where there are none."""
    return next((scope for prefix, scope in _GUARDRAIL_SCOPES.items() if region.startswith(prefix)), None)


class ContentFilters(Section):
    """How strictly each kind of content is blocked, in prompts and answers."""

    hate: Strength = "none"
    insults: Strength = "none"
    sexual: Strength = "none"
    violence: Strength = "none"
    misconduct: Strength = "none"
    prompt_attack: Annotated[Strength, Field(description="Only in prompts.")] = "none"


class DeniedTopic(Section):
    """What models must not speak about."""

    name: TopicName
    definition: Annotated[str, Field(min_length=1, max_length=200, examples=["Advice on what to invest in."])]
    examples: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=100)], ...],
        Field(max_length=5, description="Of prompts that are about it."),
    ] = ()


class Guardrail(Section):
    """A Bedrock guardrail in every account and region that serves models; deployments name its ID."""

    tier: Annotated[
        Literal["classic", "standard"],
        Field(description="standard knows more languages, and is evaluated in other regions, too."),
    ] = "classic"
    content_filters: ContentFilters = ContentFilters()
    denied_topics: Annotated[tuple[DeniedTopic, ...], Field(max_length=30)] = ()
    blocked_message: Annotated[
        str, Field(min_length=1, max_length=500, description="The answer in place of what is blocked.")
    ] = "This request cannot be answered."

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse(self._breaches())
        return self

    def _breaches(self) -> Iterator[Breach]:
        if not self.denied_topics and self.content_filters == ContentFilters():
            allowed = "filters or denied topics: a guardrail without any is refused by Bedrock"
            yield Breach((), "without a rule", allowed, "set a filter or leave guardrail out")


class ModelAccess(Section):
    """What every account and region has that serves models; docs/model-access.md."""

    external_id: ExternalId | None = None
    checked_by: Annotated[
        tuple[CheckingRoleArn, ...],
        Field(
            max_length=10,
            description="Who else may assume the models' roles, for `gatehouse accounts check`.",
        ),
    ] = ()
    invocation_logs: Annotated[
        Literal["metadata", "content", "none"],
        Field(
            description="Of each call who made it, how many tokens it took and which region answered "
            "(metadata); prompts and answers too (content); or nothing."
        ),
    ] = "metadata"
    logged_elsewhere: Annotated[
        tuple[AccountId, ...],
        Field(
            examples=[["222222222222"]],
            description="Accounts that log invocations by their own configuration, which stays as it is.",
        ),
    ] = ()
    projects: Annotated[
        tuple[ProjectName, ...],
        Field(
            max_length=50,
            examples=[["search"]],
            description="Each has an application inference profile of every Bedrock model, for its costs.",
        ),
    ] = ()
    guardrail: Guardrail | None = None

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse(
            Breach(("projects", index), project, "each project once", "remove one of the two")
            for index, project in enumerate(self.projects)
            if project in self.projects[:index]
        )
        return self
