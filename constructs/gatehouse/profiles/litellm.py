"""LiteLLM's own image.

Settings as its documentation has them (docs.litellm.ai, November 2026): proxy/config_settings, proxy/prod
(production settings, read-only file system, migrations apart from the service), proxy/cli (sign-in to
PostgreSQL as an IAM principal, time for which connections are kept), proxy/elasticache_iam,
proxy/server_tuning (configuration from S3), proxy/token_auth and proxy/health.
"""

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse.container_settings import ContainerSettings, SecretValue
from gatehouse.findings import acknowledge, acknowledge_nist
from gatehouse.generated_secret import GeneratedSecret
from gatehouse.image_profile import Backends, Container, ImageProfile, Migrations

PORT = 4000
# Its readiness asks the database: an outage there would take all tasks out of service at once.
LIVE_PATH = "/health/liveliness"
# nobody, whom the image litellm-non_root is made for.
USER = "65534"
CONFIGURATION_KEY = "litellm/config.yaml"
# The image has no curl, and its Python raises an exception for an answer that is no success.
HEALTH_COMMAND = (
    "CMD",
    "python",
    "-c",
    f"import urllib.request as r; r.urlopen('http://127.0.0.1:{PORT}{LIVE_PATH}', timeout=4)",
)
# LiteLLM wants a prefix that Secrets Manager cannot generate.
START = f'export LITELLM_MASTER_KEY="sk-$LITELLM_MASTER_KEY" && exec docker/prod_entrypoint.sh --port {PORT}'
MIGRATE = ("python", "litellm/proxy/prisma_migration.py")
# What the tool that migrates the database takes, by LiteLLM's own Terraform module.
MIGRATION_CPU_UNITS = 512
MIGRATION_MEMORY_MIB = 4096
SECRET_LENGTH = 64
TEMPORARY_MIB = {"/tmp": 256}  # noqa: S108 (the container's own)


class LiteLlm(Construct):
    """LiteLLM's proxy: its configuration is the object `litellm/config.yaml` of the platform's bucket.

    It signs in to database and cache as its task's role. `master_key` is its administrators' key without
    the `sk-` before it; `salt_key` encrypts what it stores in the database, and must never change.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        backends: Backends,
        idle_timeout: cdk.Duration,
        encryption_key: kms.IKey,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self.master_key = _secret(
            self, "MasterKey", "LiteLLM: key of its administrators, after sk-", encryption_key, removal_policy
        )
        self.salt_key = _secret(
            self, "SaltKey", "LiteLLM: encrypts what it stores; keep it", encryption_key, removal_policy
        )
        settings = ContainerSettings(
            environment={**_environment(backends, idle_timeout), **_database(backends), **_files()},
            secrets={
                "LITELLM_MASTER_KEY": SecretValue(self.master_key, "key"),
                "LITELLM_SALT_KEY": SecretValue(self.salt_key, "key"),
            },
        )
        self.profile = ImageProfile(
            container=_container(settings, entry_point=["sh", "-c"], command=[START]),
            port=PORT,
            ready_path=LIVE_PATH,
            health_command=HEALTH_COMMAND,
            start_period=cdk.Duration.seconds(60),
            live_path=LIVE_PATH,
            permissions=_permissions(backends, encryption_key),
            database_user=backends.database_user,
            migrations=_migrations(backends),
        )


def _container(
    settings: ContainerSettings, *, entry_point: Sequence[str], command: Sequence[str] | None = None
) -> Container:
    return Container(
        settings=settings,
        user=USER,
        entry_point=entry_point,
        command=command,
        temporary_mib=TEMPORARY_MIB,
    )


def _migrations(backends: Backends) -> Migrations:
    settings = ContainerSettings(environment={**_database(backends), **_files()}, secrets={})
    return Migrations(
        container=_container(settings, entry_point=list(MIGRATE)),
        cpu_units=MIGRATION_CPU_UNITS,
        memory_mib=MIGRATION_MEMORY_MIB,
    )


def _environment(backends: Backends, idle_timeout: cdk.Duration) -> Mapping[str, str]:
    return {
        "REDIS_HOST": backends.cache_host,
        "REDIS_PORT": backends.cache_port,
        "REDIS_SSL": "True",
        "REDIS_AWS_IAM_AUTH": "True",
        "REDIS_AWS_IAM_USER_NAME": backends.cache_user,
        "REDIS_AWS_IAM_CACHE_NAME": backends.cache_name,
        "REDIS_AWS_IAM_REGION": backends.region,
        "LITELLM_CONFIG_BUCKET_NAME": backends.bucket_name,
        "LITELLM_CONFIG_BUCKET_OBJECT_KEY": CONFIGURATION_KEY,
        "STORE_MODEL_IN_DB": "True",
        # The migrations have run when the first task starts.
        "DISABLE_SCHEMA_UPDATE": "true",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "JSON_LOGS": "True",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "NUM_WORKERS": "1",  # tasks are what is scaled
        # Longer than the load balancer's: it must not use a connection that is just being closed.
        "KEEPALIVE_TIMEOUT": str(idle_timeout.to_seconds() + 5),
        "PROXY_BASE_URL": f"https://{backends.domain_name}",
        # Used where the configuration turns on enable_jwt_auth.
        "JWT_PUBLIC_KEY_URL": f"{backends.issuer}/.well-known/jwks.json",
    }


def _database(backends: Backends) -> Mapping[str, str]:
    return {
        "IAM_TOKEN_DB_AUTH": "True",
        "DATABASE_HOST": backends.database_host,
        "DATABASE_PORT": backends.database_port,
        "DATABASE_NAME": backends.database_name,
        "DATABASE_USER": backends.database_user,
        "AWS_REGION_NAME": backends.region,
    }


def _files() -> Mapping[str, str]:
    return {
        "LITELLM_NON_ROOT": "true",
        "LITELLM_MIGRATION_DIR": "/tmp/migrations",  # noqa: S108 (the container's own)
        "XDG_CACHE_HOME": "/tmp/cache",  # noqa: S108 (the same)
    }


def _permissions(backends: Backends, key: kms.IKey) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(
            actions=["s3:GetObject"], resources=[f"{backends.bucket_arn}/{CONFIGURATION_KEY}"]
        ),
        iam.PolicyStatement(
            actions=["kms:Decrypt"],
            resources=[key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"s3.{backends.region}.amazonaws.com"}},
        ),
    ]


def _secret(
    scope: Construct, construct_id: str, description: str, key: kms.IKey, removal_policy: cdk.RemovalPolicy
) -> GeneratedSecret:
    secret = GeneratedSecret(
        scope,
        construct_id,
        description=description,
        field="key",
        length=SECRET_LENGTH,
        encryption_key=key,
        removal_policy=removal_policy,
    )
    reason = "LiteLLM reads it at its start alone, and what it encrypted would be lost with the old value."
    acknowledge(secret, {"SMG4": reason})
    acknowledge_nist(secret, {"SecretsManagerRotationEnabled": reason})
    return secret
