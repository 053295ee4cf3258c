"""The gateway's settings as a container's environment."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_ecs as ecs

from gateway.settings import Settings, required_fields, secret_fields, variable


@dataclass(frozen=True, kw_only=True)
class ContainerSettings:
    """A gateway container's environment: plain variables, and those that ECS reads from secrets."""

    environment: Mapping[str, str]
    secrets: Mapping[str, ecs.Secret]


def container_settings(*, values: Mapping[str, str], secrets: Mapping[str, ecs.Secret]) -> ContainerSettings:
    """Turn fields of `gateway.settings.Settings` into the variables that the gateway reads.

    Raises ValueError that lists every field the gateway does not know, every secret given as a plain
    value or the reverse, and every required field that is missing.
    """
    problems = [*_misplaced(values, secrets), *_missing({*values, *secrets})]
    if problems:
        raise ValueError("The gateway's container is misconfigured:\n" + "\n".join(problems))
    return ContainerSettings(
        environment={variable(field): value for field, value in values.items()},
        secrets={variable(field): secret for field, secret in secrets.items()},
    )


def default_port(field: str) -> int:
    """A port's number where the platform does not set it; ValueError for a field that is no such port."""
    setting = Settings.model_fields.get(field)
    if setting is None or not isinstance(setting.default, int):
        raise ValueError(f"{field!r} is no setting with a default port")
    return setting.default


def _misplaced(values: Mapping[str, str], secrets: Mapping[str, ecs.Secret]) -> list[str]:
    known, secret = set(Settings.model_fields), secret_fields()
    unknown = [
        f"{field}: not a setting of the gateway; known: {', '.join(sorted(known))}"
        for field in sorted({*values, *secrets} - known)
    ]
    exposed = [
        f"{field}: a secret must not stand in the template; pass it in `secrets`"
        for field in sorted(secret & set(values))
    ]
    hidden = [
        f"{field}: not a secret, so pass it in `values`" for field in sorted((set(secrets) & known) - secret)
    ]
    return unknown + exposed + hidden


def _missing(given: set[str]) -> list[str]:
    return [
        f"{field}: required; the gateway cannot start without it"
        for field in sorted(required_fields() - given)
    ]
