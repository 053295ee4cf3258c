"""What can stand behind a model: one deployment at one provider."""

from typing import Annotated, Literal

from pydantic import Field, field_serializer

from gateway.catalog.names import (
    PROFILE_SCOPES,
    ApplicationProfileArn,
    BaseUrl,
    BedrockModelId,
    DeploymentName,
    EndpointName,
    Frozen,
    GuardrailId,
    GuardrailProfileId,
    GuardrailVersion,
    Region,
    RoleArn,
    SecretId,
)

Seconds = Annotated[float, Field(ge=0.1, le=900)]


class TimeLimits(Frozen):
    """How long one attempt may take, in seconds."""

    connect_seconds: Annotated[float, Field(ge=0.1, le=60)] = 3
    first_byte_seconds: Annotated[Seconds, Field(description="Until a streamed answer begins.")] = 60
    between_chunks_seconds: Annotated[Seconds, Field(description="Between two pieces of a stream.")] = 60
    whole_answer_seconds: Annotated[
        Seconds, Field(description="Until an answer that is not streamed is there, all of it.")
    ] = 590


class Capacity(Frozen):
    """What a deployment takes in any minute; beyond it the gateway sends requests elsewhere."""

    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None


_Usd = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]


class PriceAmounts(Frozen):
    """USD per million tokens."""

    input_usd: _Usd
    output_usd: Annotated[_Usd, Field(description="0 for embeddings.")]
    cache_read_usd: Annotated[
        _Usd | None, Field(description="Of a prompt's tokens that the provider's cache held; else input_usd.")
    ] = None
    cache_write_usd: Annotated[
        _Usd | None, Field(description="Written to the cache; else 1.25 times input_usd.")
    ] = None
    cache_write_1h_usd: Annotated[
        _Usd | None, Field(description="Written for an hour or longer; else twice the other writes.")
    ] = None
    reasoning_usd: Annotated[
        _Usd | None, Field(description="Of an answer's tokens that are reasoning; else output_usd.")
    ] = None


class PriceTier(PriceAmounts):
    """What all tokens of a request cost whose prompt is longer."""

    above_input_tokens: Annotated[int, Field(ge=1, examples=[200_000])]


class Price(PriceAmounts):
    """What a deployment costs; it goes before the list price."""

    tiers: Annotated[
        tuple[PriceTier, ...], Field(max_length=10, description="By the length of prompts, ascending.")
    ] = ()


class Guardrail(Frozen):
    """A Bedrock guardrail that every call of a deployment passes through."""

    identifier: GuardrailId
    version: GuardrailVersion
    profile: GuardrailProfileId | None = None


class _Deployment(Frozen):
    name: DeploymentName
    tier: Annotated[int, Field(ge=0, le=99, description="Lower tiers are used first.")] = 0
    weight: Annotated[int, Field(ge=1, le=1_000_000, description="Its share within its tier.")] = 1
    capacity: Capacity = Capacity()
    time_limits: TimeLimits = TimeLimits()
    price: Price | None = None


class BedrockDeployment(_Deployment):
    """A model of Amazon Bedrock in one region of one account."""

    provider: Literal["bedrock"]
    region: Region
    model_id: BedrockModelId
    application_profile_arn: ApplicationProfileArn | None = None
    role_arn: RoleArn | None = None
    guardrail: Guardrail | None = None
    chat_api: Annotated[
        Literal["converse", "openai"],
        Field(
            description="Bedrock's API for chat completions: Converse, which every chat model has, or "
            "Bedrock's own OpenAI-compatible endpoint, which some models have, with the Responses API."
        ),
    ] = "converse"

    @property
    def called_id(self) -> str:
        """What is named in a call: the application inference profile if there is one."""
        return self.application_profile_arn or self.model_id

    @property
    def is_inference_profile(self) -> bool:
        """Whether the model is called through a cross-region inference profile."""
        return self.model_id.split(".", 1)[0] in PROFILE_SCOPES

    @property
    def foundation_model(self) -> str:
        """The foundation model's ID, without the scope of an inference profile."""
        return self.model_id.split(".", 1)[1] if self.is_inference_profile else self.model_id


class OpenAICompatibleDeployment(_Deployment):
    """A model behind an API that speaks OpenAI's, such as OpenAI, Azure, Gemini, Mistral or vLLM."""

    provider: Literal["openai_compatible"]
    base_url: BaseUrl
    model: Annotated[
        str, Field(min_length=1, max_length=256, examples=["gpt-5"], description="The model's name there.")
    ]
    api_key_secret: SecretId | None = None
    api_key_header: Annotated[
        Literal["authorization", "api-key"], Field(description="Azure takes the key in api-key.")
    ] = "authorization"
    apis: Annotated[
        frozenset[Literal["chat_completions", "embeddings", "responses"]],
        Field(min_length=1, description="What the provider has; responses are mapped to chat without it."),
    ] = frozenset({"chat_completions", "embeddings"})

    @field_serializer("apis")
    def _in_one_order(self, apis: frozenset[str]) -> list[str]:
        return sorted(apis)

    @property
    def region(self) -> None:
        """Not in an AWS region."""
        return


class SageMakerDeployment(_Deployment):
    """A SageMaker endpoint whose container speaks OpenAI's chat completions or embeddings."""

    provider: Literal["sagemaker"]
    region: Region
    endpoint_name: EndpointName
    inference_component: EndpointName | None = None
    model: Annotated[
        str | None, Field(description="The model's name in the container, where it wants one.")
    ] = None
    role_arn: RoleArn | None = None


Deployment = BedrockDeployment | OpenAICompatibleDeployment | SageMakerDeployment
