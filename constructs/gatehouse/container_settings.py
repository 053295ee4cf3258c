"""The settings of the gateway's programs as containers' environments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from pydantic import BaseModel, SecretStr

from gateway import settings as gateway_settings
from gateway.migrations import settings as migration_settings
from gateway.migrations.settings import MigrationSettings
from gateway.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Program:
    """What a program of the gateway's image reads from its environment, in its own definition."""

    name: str
    fields: frozenset[str]
    required: frozenset[str]
    secret: frozenset[str]
    variable: Callable[[str], str]


def _program(name: str, settings: type[BaseModel], variable: Callable[[str], str]) -> Program:
    fields = settings.model_fields
    return Program(
        name=name,
        fields=frozenset(fields),
        required=frozenset(n for n, field in fields.items() if field.is_required()),
        secret=frozenset(n for n, f in fields.items() if f.annotation in (SecretStr, SecretStr | None)),
        variable=variable,
    )


GATEWAY = _program("the gateway", Settings, gateway_settings.variable)
MIGRATIONS = _program("the migrations", MigrationSettings, migration_settings.variable)


@dataclass(frozen=True)
class SecretValue:
    """A secret of Secrets Manager, or one field of the JSON object in it."""

    secret: secretsmanager.ISecret
    field: str | None = None

    def for_ecs(self) -> ecs.Secret:
        """As a task definition refers to it."""
        return ecs.Secret.from_secrets_manager(self.secret, self.field)


@dataclass(frozen=True, kw_only=True)
class ContainerSettings:
    """A container's environment: plain variables, and those that the platform reads from secrets."""

    environment: Mapping[str, str]
    secrets: Mapping[str, SecretValue]

    def secrets_for_ecs(self) -> dict[str, ecs.Secret]:
        """The variables that ECS reads when a task starts."""
        return {name: value.for_ecs() for name, value in self.secrets.items()}

    def grant_read(self, role: iam.IRole, key: kms.IKey) -> None:
        """Let a role read the secrets, which `key` encrypts: through Secrets Manager alone."""
        for value in self.secrets.values():
            value.secret.grant_read(role)
        if self.secrets:
            role.add_to_principal_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt"],
                    resources=[key.key_arn],
                    conditions={
                        "StringEquals": {
                            "kms:ViaService": f"secretsmanager.{cdk.Stack.of(role).region}.amazonaws.com"
                        }
                    },
                )
            )


def container_settings(
    *, values: Mapping[str, str], secrets: Mapping[str, SecretValue], program: Program = GATEWAY
) -> ContainerSettings:
    """Turn fields of a program's settings into the variables that it reads.

    Raises ValueError that lists every field the program does not know, every secret given as a plain
    value or the reverse, and every required field that is missing.
    """
    problems = [*_misplaced(values, secrets, program), *_missing({*values, *secrets}, program)]
    if problems:
        raise ValueError(f"The container of {program.name} is misconfigured:\n" + "\n".join(problems))
    return ContainerSettings(
        environment={program.variable(field): value for field, value in values.items()},
        secrets={program.variable(field): secret for field, secret in secrets.items()},
    )


def default_port(field: str) -> int:
    """A port's number where the platform does not set it; ValueError for a field that is no such port."""
    setting = Settings.model_fields.get(field)
    if setting is None or not isinstance(setting.default, int):
        raise ValueError(f"{field!r} is no setting with a default port")
    return setting.default


def _misplaced(values: Mapping[str, str], secrets: Mapping[str, SecretValue], program: Program) -> list[str]:
    unknown = [
        f"{field}: not a setting of {program.name}; known: {', '.join(sorted(program.fields))}"
        for field in sorted({*values, *secrets} - program.fields)
    ]
    exposed = [
        f"{field}: a secret must not stand in the template; pass it in `secrets`"
        for field in sorted(program.secret & set(values))
    ]
    hidden = [
        f"{field}: not a secret, so pass it in `values`"
        for field in sorted((set(secrets) & program.fields) - program.secret)
    ]
    return unknown + exposed + hidden


def _missing(given: set[str], program: Program) -> list[str]:
    return [
        f"{field}: required; {program.name} cannot start without it"
        for field in sorted(program.required - given)
    ]
