"""A scenario: the world the simulator plays, read from YAML and validated once."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from local.bedrock_simulator.faults import Fault
from local.bedrock_simulator.replies import Reply
from local.bedrock_simulator.timing import Timing

_DEFAULT = Path(__file__).with_name("default.yaml")


class ScenarioError(ValueError):
    """A scenario file that cannot be played; the message lists every problem."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Model(_Frozen):
    """A foundation model and the rules it holds its callers to."""

    id: str
    family: Literal["anthropic", "nova", "openai", "titan-embedding", "cohere-embedding", "nova-embedding"]
    regions: Annotated[tuple[str, ...], Field(min_length=1)]
    on_demand: Annotated[
        bool, Field(description="Whether it may be called by its own ID, not only by a profile.")
    ] = True
    profiles: Annotated[
        tuple[str, ...], Field(description="Prefixes of the inference profiles that serve it.")
    ] = ()
    context_tokens: Annotated[int, Field(ge=1)] = 200_000
    max_output_tokens: Annotated[int, Field(ge=1)] = 4096
    output_limit_is_exclusive: Annotated[
        bool,
        Field(description="Whether maxTokens must stay below the limit, as the newer Claude models want it."),
    ] = False
    output_burndown: Annotated[
        int, Field(ge=1, description="Quota tokens that one output token costs in the end.")
    ] = 1
    max_stop_sequences: Annotated[int, Field(ge=0)] = 2500
    temperature_excludes_top_p: bool = False
    openai_apis: Annotated[
        tuple[Literal["ChatCompletions", "Responses"], ...],
        Field(description="What Bedrock's OpenAI-compatible endpoint has of it."),
    ] = ()
    assistant_prefill: Annotated[
        bool, Field(description="Whether the last message may be the assistant's.")
    ] = True
    timing: Annotated[Timing | None, Field(description="Instead of the scenario's timing.")] = None


class Profile(_Frozen):
    """A family of system-defined inference profiles: `us` makes `us.<model>` of every model that lists it."""

    prefix: str
    regions: Annotated[
        tuple[str, ...], Field(min_length=1, description="Where it serves, and may be called from.")
    ]


class BearerToken(_Frozen):
    """A Bedrock API key; it is valid in one region."""

    token: Annotated[str, Field(min_length=1)]
    region: str


class Role(_Frozen):
    """A role that every known caller may assume; its sessions act in the role's account."""

    name: Annotated[str, Field(pattern=r"^[\w+=,.@-]{1,64}$")]
    external_id: Annotated[str | None, Field(description="What its trust policy asks for.")] = None
    session_tags: Annotated[bool, Field(description="Whether its trust policy allows sts:TagSession.")] = True
    session_seconds: Annotated[
        float | None, Field(gt=0, description="Ends its sessions after this long, whatever was asked for.")
    ] = None


class Account(_Frozen):
    """An AWS account and the credentials that act in it."""

    id: Annotated[str, Field(pattern=r"^\d{12}$")]
    access_keys: Annotated[
        dict[str, str], Field(description="Access key ID to secret; signatures are verified.")
    ] = {}
    bearer_tokens: tuple[BearerToken, ...] = ()
    roles: tuple[Role, ...] = ()
    denied_models: Annotated[tuple[str, ...], Field(description="Models it has no access to.")] = ()


class Quota(_Frozen):
    """A limit per minute of each account it matches in each region it matches; without one there is none.

    `model` is a model's ID or a profile's. A profile's own quota holds in the region it is called
    from; its calls also use the model's quota in the region that serves them.
    """

    model: str
    account: str | None = None
    region: str | None = None
    requests_per_minute: Annotated[int | None, Field(ge=0)] = None
    tokens_per_minute: Annotated[int | None, Field(ge=0)] = None


class Scenario(_Frozen):
    """Everything the simulator plays."""

    seed: Annotated[
        int, Field(description="Of every random choice: the same calls get the same answers.")
    ] = 0
    quota_window: Annotated[
        Literal["rolling", "fixed"], Field(description="`fixed` starts with each clock minute.")
    ] = "rolling"
    unknown_access_keys: Annotated[
        Literal["accept", "reject"],
        Field(description="`accept`: callers of default_account, signature not verified."),
    ] = "accept"
    default_account: Annotated[str, Field(pattern=r"^\d{12}$")] = "000000000000"
    accounts: tuple[Account, ...] = ()
    models: tuple[Model, ...]
    profiles: tuple[Profile, ...] = ()
    quotas: Annotated[tuple[Quota, ...], Field(description="The last one that matches applies.")] = ()
    timing: Timing = Timing()
    faults: tuple[Fault, ...] = ()
    replies: tuple[Reply, ...] = ()


def load_scenario(path: Path | None = None) -> Scenario:
    """The default scenario, with the top-level keys of the file at `path` in place of the default's.

    Raises ScenarioError for a file that is missing, no YAML or not a scenario.
    """
    document: dict[str, Any] = yaml.safe_load(_DEFAULT.read_text())
    if path is not None:
        document |= _read(path)
    return parse_scenario(document, str(path or _DEFAULT))


def parse_scenario(document: dict[str, Any], name: str = "scenario") -> Scenario:
    """The scenario of a parsed document; ScenarioError lists its problems, `name` says where they are."""
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        problems = [
            f"{name}: {'.'.join(map(str, detail['loc']))}: {detail['msg']}"
            for detail in error.errors(include_input=False, include_url=False)
        ]
        raise ScenarioError("\n".join(problems)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}; name a readable YAML file") from None
    except yaml.YAMLError as error:
        raise ScenarioError(f"{path}: is not YAML: {error}") from None
    if not isinstance(document, dict):
        raise ScenarioError(
            f"{path}: must be a mapping of the scenario's keys, not {type(document).__name__}"
        )
    return document
