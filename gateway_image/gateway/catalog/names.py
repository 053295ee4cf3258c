"""How things are named in the model catalog."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict

from gateway.validation import pattern

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
PROFILE_SCOPES = ("us", "us-gov", "eu", "apac", "jp", "au", "ca", "global")
BedrockModelId = Annotated[
    str,
    pattern(
        rf"^(({'|'.join(PROFILE_SCOPES)})\.)?[a-z0-9-]+\.[a-z0-9.:-]+$",
        "a Bedrock model ID (provider.model), for a cross-region inference profile after one of "
        "us., us-gov., eu., apac., jp., au., ca. or global.",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "A foundation model's ID or a cross-region inference profile's ID.",
    ),
]
ApplicationProfileArn = Annotated[
    str,
    pattern(
        r"^arn:aws[a-z-]*:bedrock:[a-z0-9-]+:\d{12}:application-inference-profile/[a-z0-9]+$",
        "the ARN of a Bedrock application inference profile",
        "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1b2c3d4e5f6",
        "Called instead of model_id, which says what is behind it.",
    ),
]
RoleArn = Annotated[
    str,
    pattern(
        r"^arn:aws[a-z-]*:iam::\d{12}:role/[a-zA-Z0-9_+=,.@/-]+$",
        "the ARN of an IAM role",
        "arn:aws:iam::111122223333:role/gatehouse-model-access",
        "Assumed for this deployment's calls; without it the gateway's own role calls.",
    ),
]
SecretId = Annotated[
    str,
    pattern(
        r"^(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[a-zA-Z0-9_/+=.@-]+-[a-zA-Z0-9]{6}"
        r"|[a-zA-Z0-9_/+=.@-]+)$",
        "the name of a secret in AWS Secrets Manager, or its whole ARN, with the six characters at the end",
        "gatehouse/prod/providers/openai",
        "Its value is the provider's API key; a new value is picked up without a restart.",
    ),
]
GuardrailId = Annotated[
    str,
    pattern(
        r"^([a-z0-9]{1,64}|arn:aws[a-z-]*:bedrock:[a-z0-9-]+:\d{12}:guardrail/[a-z0-9]+)$",
        "the ID or the ARN of a Bedrock guardrail",
        "gr1a2b3c4d5e",
    ),
]
GuardrailProfileId = Annotated[
    str,
    pattern(
        r"^[a-z0-9-]+\.guardrail\.v\d+:\d+$",
        "the ID of a guardrail profile",
        "us.guardrail.v1:0",
        "Of a guardrail with cross-region inference: the gateway needs a permission for it, too.",
    ),
]
GuardrailVersion = Annotated[
    str, pattern(r"^(DRAFT|[1-9]\d{0,7})$", "the number of a guardrail's version, or DRAFT", "1")
]
EndpointName = Annotated[
    str,
    pattern(
        r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$",
        "1 to 63 letters, digits or hyphens, with a letter or digit at both ends",
        "llama-3-3-70b",
    ),
]
BaseUrl = Annotated[
    str,
    pattern(
        r"^(https://([a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\])|http://(127\.0\.0\.1|localhost|\[::1\]))"
        r"(:\d{1,5})?(/[^?#\s]*[^?#\s/])?$",
        "an https URL without a user, a query or a slash at its end (plain http only on this very machine)",
        "https://api.openai.com/v1",
        "What stands before /chat/completions.",
    ),
]


class Frozen(BaseModel):
    """The base of all parts of the catalog."""

    model_config = ConfigDict(frozen=True, extra="forbid")
