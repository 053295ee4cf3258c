"""DIAL Core's own image.

Settings as its documentation has them (github.com/epam/ai-dial-core, November 2026): README (static settings,
as variables with `aidial.` before them), docs/storage-requirements.md (permissions in S3, cache policy), the
Dockerfile (ports, user, health check), and the AWS example of github.com/epam/ai-dial-helm.
"""

import json
import re
from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from gatehouse.container_settings import ContainerSettings, SecretValue
from gatehouse.findings import acknowledge, acknowledge_nist
from gatehouse.generated_secret import GeneratedSecret
from gatehouse.image_profile import Backends, Container, ImageProfile

PORT = 8080
# The one path that it has. It asks the cache, without which DIAL Core cannot work.
HEALTH_PATH = "/health"
HEALTH_COMMAND = (
    "CMD-SHELL",
    f"wget --no-verbose --spider --tries=1 http://localhost:{PORT}{HEALTH_PATH} || exit 1",
)
USER = "1001"
STORAGE_PREFIX = "core"
CONFIGURATION_FILE = "/tmp/aidial.config.json"  # noqa: S108 (the container's own)
# It reads models, roles and keys from a file alone; the secret that holds them never reaches a disk.
START = f"""printf %s "$AIDIAL_CONFIG" > {CONFIGURATION_FILE} && exec /app/bin/server"""
EMPTY_CONFIGURATION = '{"models":{},"roles":{},"keys":{}}'
TEMPORARY_MIB = {"/tmp": 256, "/app/log": 64}  # noqa: S108 (the same)
# The load balancer, which appends the caller's address to X-Forwarded-For.
PROXIES = 1
# Settings whose values nobody has to know, and the construct IDs of their secrets.
GENERATED = {
    "encryption.secret": "EncryptionSecret",
    "encryption.key": "EncryptionKey",
    "identityProviders.cognito.loggingSalt": "LoggingSalt",
}
SECRET_LENGTH = 32
_OBJECT_ACTIONS = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:PutObject",
    "s3:PutObjectAcl",
)
_BUCKET_ACTIONS = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")


class Dial(Construct):
    """DIAL Core: it keeps its users' files and conversations in the platform's bucket, under `core/`.

    `configuration` is the secret with its dynamic settings, empty at first; `encryption` derives the names
    of the users' folders, and must never change. Groups of the issuer's users are DIAL's roles.
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
        self.configuration = secretsmanager.Secret(
            self,
            "Configuration",
            description="DIAL Core: its dynamic settings, a JSON object",
            encryption_key=encryption_key,
            secret_string_value=cdk.SecretValue.unsafe_plain_text(EMPTY_CONFIGURATION),
            removal_policy=removal_policy,
        )
        _acknowledge_no_rotation(self.configuration)
        secrets = {
            "AIDIAL_CONFIG": SecretValue(self.configuration),
            **self._generate(encryption_key, removal_policy),
        }
        self.profile = ImageProfile(
            container=Container(
                settings=ContainerSettings(environment=_environment(backends, idle_timeout), secrets=secrets),
                user=USER,
                entry_point=["sh", "-c"],
                command=[START],
                temporary_mib=TEMPORARY_MIB,
            ),
            port=PORT,
            ready_path=HEALTH_PATH,
            health_command=HEALTH_COMMAND,
            start_period=cdk.Duration.seconds(60),
            permissions=_permissions(backends, encryption_key),
            open_resources={
                _objects(backends): "Its users' files and conversations: they are all and only DIAL Core's."
            },
        )

    def _generate(self, key: kms.IKey, removal_policy: cdk.RemovalPolicy) -> dict[str, SecretValue]:
        variables = {}
        for name, construct_id in GENERATED.items():
            secret = GeneratedSecret(
                self,
                construct_id,
                description=f"DIAL Core: {name}; never change it",
                field="value",
                length=SECRET_LENGTH,
                encryption_key=key,
                removal_policy=removal_policy,
            )
            _acknowledge_no_rotation(secret)
            variables[f"aidial.{name}"] = SecretValue(secret, "value")
        return variables


def _environment(backends: Backends, idle_timeout: cdk.Duration) -> Mapping[str, str]:
    # A connection of the load balancer's that it closes itself must not be closed here before.
    idle_milliseconds = str((idle_timeout.to_seconds() + 5) * 1000)
    settings = {
        "config.files": json.dumps([CONFIGURATION_FILE]),
        "storage.provider": "aws-s3",
        "storage.bucket": backends.bucket_name,
        "storage.createBucket": "false",
        "storage.prefix": STORAGE_PREFIX,
        "redis.singleServerConfig.address": f"rediss://{backends.cache_host}:{backends.cache_port}",
        "redis.provider.name": "aws-elasti-cache",
        "redis.provider.userId": backends.cache_user,
        "redis.provider.region": backends.region,
        "redis.provider.clusterName": backends.cache_name,
        "redis.provider.serverless": "false",
        "identityProviders.cognito.jwksUrl": f"{backends.issuer}/.well-known/jwks.json",
        "identityProviders.cognito.issuerPattern": f"^{_literally(backends.issuer)}$",
        "identityProviders.cognito.rolePath": "cognito:groups",
        "identityProviders.cognito.loggingKey": "sub",
        "server.idleTimeout": idle_milliseconds,
        "client.idleTimeout": idle_milliseconds,
        "apiKeyValidation.proxyCount": str(PROXIES),
    }
    return {f"aidial.{name}": value for name, value in settings.items()}


def _literally(url: str) -> str:
    """A URL as a regular expression for itself; what CloudFormation fills in holds no special character."""
    return re.sub(r"\$\{Token\[.*?\]\}|\.", lambda match: r"\." if match[0] == "." else match[0], url)


def _objects(backends: Backends) -> str:
    return f"{backends.bucket_arn}/{STORAGE_PREFIX}/*"


def _permissions(backends: Backends, key: kms.IKey) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(actions=list(_OBJECT_ACTIONS), resources=[_objects(backends)]),
        iam.PolicyStatement(actions=list(_BUCKET_ACTIONS), resources=[backends.bucket_arn]),
        iam.PolicyStatement(
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=[key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"s3.{backends.region}.amazonaws.com"}},
        ),
    ]


def _acknowledge_no_rotation(secret: secretsmanager.Secret) -> None:
    reason = "What DIAL Core stores is found by these values; its settings are changed by their owners."
    acknowledge(secret, {"SMG4": reason})
    acknowledge_nist(secret, {"SecretsManagerRotationEnabled": reason})
