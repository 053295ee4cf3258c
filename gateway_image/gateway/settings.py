"""Everything the platform tells a gateway process: one definition for both sides.

The gateway reads these fields from its environment; the platform's service construct sets exactly
these variables in the container it runs. Both import this module, so a name exists once.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from gateway import DEFAULT_METRICS_PORT, DEFAULT_PORT
from gateway.identity.bootstrap_keys import parse_api_keys
from gateway.identity.issuers import parse_issuers
from gateway.remote_images.hosts import parse_image_hosts
from gateway.secret_files import read_secret_files

PREFIX = "GATEWAY_"


class SettingsError(ValueError):
    """The environment does not describe a gateway that can run; the message lists every problem."""


# These keep the names the AWS SDKs use instead of one with our prefix.
_STANDARD_VARIABLES = {
    "bedrock_endpoint_url": "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
    "appconfig_endpoint_url": "AWS_ENDPOINT_URL_APPCONFIGDATA",
    "sts_endpoint_url": "AWS_ENDPOINT_URL_STS",
    "secretsmanager_endpoint_url": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "sagemaker_endpoint_url": "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME",
}


class Settings(BaseModel):
    """What one gateway process needs to know, validated once at start."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    environment: Annotated[
        str, Field(min_length=1, description="Name of the platform's environment, for logs.")
    ]
    region: Annotated[
        str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$", description="AWS region this process runs in.")
    ]
    models_source: Annotated[
        str,
        Field(
            pattern=r"^(appconfig://[^/]+/[^/]+/[^/]+|file:///.+)$",
            description="Where the model catalog is: appconfig://application/environment/profile or file:///path.",
        ),
    ]
    api_keys: Annotated[
        SecretStr,
        Field(description="JSON object of caller name to API key; the bootstrap keys of this gateway."),
    ]

    cache_host: str
    cache_port: Annotated[int, Field(ge=1, le=65535)] = 6379
    cache_tls: bool = True
    cache_username: str
    # Before what depends on it.
    cache_authentication: Annotated[
        Literal["password", "iam"],
        Field(description="Sign in to the cache with a password or as the process's IAM role."),
    ] = "password"
    cache_password: Annotated[
        SecretStr | None,
        Field(validate_default=True, description="With IAM, a token is made for each connection instead."),
    ] = None
    cache_name: Annotated[
        str | None,
        Field(
            validate_default=True,
            pattern=r"^[a-z0-9-]+$",
            description="The ID of the replication group, for which IAM's tokens are made.",
        ),
    ] = None

    database_host: str
    database_port: Annotated[int, Field(ge=1, le=65535)] = 5432
    database_name: str
    database_tls: bool = True
    database_username: str
    # Before what depends on it.
    database_authentication: Annotated[
        Literal["password", "iam"],
        Field(description="Sign in to the database with a password or as the process's IAM role."),
    ] = "password"
    database_password: Annotated[
        SecretStr | None,
        Field(validate_default=True, description="With IAM, a token is made for each connection instead."),
    ] = None

    key_hashing_secret: Annotated[
        SecretStr,
        Field(min_length=32, description="What API keys are hashed with; a new one makes every key invalid."),
    ]
    secrets_directory: Annotated[
        str | None,
        Field(
            pattern=r"^/.",
            description="A folder of files that each hold a secret, named as the variable they stand for.",
        ),
    ] = None
    known_keys_seconds: Annotated[
        int,
        Field(ge=0, description="How long keys and roles read before hold while the database is away."),
    ] = 3600
    identity_issuers: Annotated[
        str,
        Field(description="JSON array of the issuers whose tokens are accepted (docs/callers.md)."),
    ] = "[]"
    forwarded_hops: Annotated[
        int,
        Field(
            ge=0,
            le=10,
            description="Proxies in front that add to X-Forwarded-For: the caller's address is that many "
            "from its end; 0 is the connection's own.",
        ),
    ] = 0
    limits_when_cache_is_away: Annotated[
        Literal["local", "open", "closed"],
        Field(
            description="Without the cache, each process enforces its share of every limit (local), none are "
            "enforced (open), or callers with limits are refused (closed)."
        ),
    ] = "local"
    account_id: Annotated[
        str | None,
        Field(pattern=r"^\d{12}$", description="The AWS account whose models are called without a role."),
    ] = None
    role_external_id: Annotated[
        str | None,
        Field(
            min_length=2,
            max_length=1224,
            pattern=r"^[A-Za-z0-9_+=,.@:/-]+$",
            description="Told to every role that a deployment names; their trust policies may ask for it.",
        ),
    ] = None
    usage_retention_months: Annotated[
        int, Field(ge=1, le=120, description="How long single requests stay in the ledger; sums stay.")
    ] = 13
    image_url_hosts: Annotated[
        str,
        Field(
            description="JSON array of host names from which images may be fetched for models that take none "
            'by URL, "*.example.com" for all below one; nothing is fetched from others.'
        ),
    ] = "[]"

    host: str = "0.0.0.0"  # noqa: S104 (a container is reached on its own address; security groups guard it)
    port: Annotated[int, Field(ge=1, le=65535)] = DEFAULT_PORT
    workers: Annotated[
        int, Field(ge=1, le=64, description="Processes that share the port, one for each core.")
    ] = 1
    metrics_port: Annotated[
        int,
        Field(
            ge=1,
            le=65535 - 64,
            description="Where Prometheus collects metrics; each further worker listens one port higher.",
        ),
    ] = DEFAULT_METRICS_PORT
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    # Together below the 120 s after which ECS on Fargate kills a task that has been told to stop. Kubernetes
    # gives a pod as long as it asks for.
    lame_duck_seconds: Annotated[
        int, Field(ge=0, le=10, description="How long new requests are still served after SIGTERM.")
    ] = 5
    drain_seconds: Annotated[
        int, Field(ge=0, le=3600, description="How long running requests may take after that.")
    ] = 100
    request_body_limit_bytes: Annotated[int, Field(ge=1024)] = 32 * 1024 * 1024
    request_bodies_limit_bytes: Annotated[
        int, Field(ge=1024, description="Of all running requests of a process together.")
    ] = 256 * 1024 * 1024
    request_json_depth_limit: Annotated[int, Field(ge=10, le=500)] = 100
    max_concurrent_requests: Annotated[
        int, Field(ge=1, description="In one process, streams too; beyond them requests are refused.")
    ] = 12_000
    write_stall_seconds: Annotated[
        int, Field(ge=1, description="How long a caller may stop reading its answer.")
    ] = 60

    bedrock_authentication: Annotated[
        Literal["signature", "bearer"],
        Field(description="Sign each request to Bedrock, or send a short-term API key made once an hour."),
    ] = "signature"

    bedrock_endpoint_url: Annotated[
        str | None, Field(description="Replaces Bedrock's regional endpoints, as in the AWS SDKs.")
    ] = None
    appconfig_endpoint_url: Annotated[
        str | None, Field(description="Replaces AppConfig's regional endpoint, as in the AWS SDKs.")
    ] = None
    sts_endpoint_url: Annotated[
        str | None, Field(description="Replaces the regional endpoint of STS, as in the AWS SDKs.")
    ] = None
    secretsmanager_endpoint_url: Annotated[
        str | None, Field(description="Replaces Secrets Manager's regional endpoint, as in the AWS SDKs.")
    ] = None
    sagemaker_endpoint_url: Annotated[
        str | None, Field(description="Replaces the regional endpoints of SageMaker's runtime.")
    ] = None

    @field_validator("api_keys")
    @classmethod
    def _api_keys_can_be_read(cls, secret: SecretStr) -> SecretStr:
        parse_api_keys(secret.get_secret_value())
        return secret

    @field_validator("cache_password", "cache_name", "database_password")
    @classmethod
    def _services_can_be_signed_in_to(
        cls, value: SecretStr | str | None, info: ValidationInfo
    ) -> SecretStr | str | None:
        service, _, needed = str(info.field_name).partition("_")
        needed_with, other = ("password", "iam") if needed == "password" else ("iam", "password")
        authentication = f"{service}_authentication"
        if value is None and info.data.get(authentication) == needed_with:
            raise ValueError(f"missing; set it, or {variable(authentication)} to {other}")
        return value

    @field_validator("identity_issuers")
    @classmethod
    def _issuers_can_be_read(cls, issuers: str) -> str:
        parse_issuers(issuers)
        return issuers

    @field_validator("image_url_hosts")
    @classmethod
    def _image_hosts_can_be_read(cls, hosts: str) -> str:
        parse_image_hosts(hosts)
        return hosts


def variable(field: str) -> str:
    """The environment variable of a settings field; KeyError names a field that does not exist."""
    if field not in Settings.model_fields:
        raise KeyError(
            f"{field!r} is no setting of the gateway; known: {', '.join(sorted(Settings.model_fields))}"
        )
    return _STANDARD_VARIABLES.get(field, PREFIX + field.upper())


def secret_fields() -> frozenset[str]:
    """The fields whose values are secrets: they never stand in a template or an environment listing."""
    kinds = (SecretStr, SecretStr | None)
    return frozenset(n for n, f in Settings.model_fields.items() if f.annotation in kinds)


def required_fields() -> frozenset[str]:
    """The fields without a default: a platform that leaves one out deploys a gateway that cannot start."""
    return frozenset(n for n, f in Settings.model_fields.items() if f.is_required())


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables, and secrets from files where these are named.

    Raises SettingsError naming every variable that is missing, unknown, given twice or wrong, and no value.
    """
    files = {variable(field): field for field in secret_fields()}
    secrets, problems = read_secret_files(
        environ, folder_variable=variable("secrets_directory"), files=files, prefix=PREFIX
    )
    known = {variable(field) for field in Settings.model_fields}
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    problems += [f"{name}: not a setting of this gateway; mend its name or remove it" for name in unknown]
    values = {
        field: environ[variable(field)] for field in Settings.model_fields if variable(field) in environ
    }
    try:
        settings = Settings.model_validate(values | secrets)
    except ValidationError as error:
        problems += [_problem(detail["loc"], detail["msg"]) for detail in error.errors(include_input=False)]
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _problem(location: tuple[int | str, ...], message: str) -> str:
    field = str(location[0]) if location else ""
    place = variable(field) if field in Settings.model_fields else "settings"
    return f"{place}: {message.removeprefix('Value error, ')}"
