"""What the platform tells the migration command: one definition for both sides."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

PREFIX = "GATEWAY_DATABASE_"


class MigrationSettingsError(ValueError):
    """The environment does not describe a database to migrate; the message lists every problem."""


class MigrationSettings(BaseModel):
    """Where the database is, who owns its schema, and whom the gateway's processes sign in as."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    name: str
    tls: bool = True
    username: Annotated[str, Field(description="Who owns the schema.")]
    authentication: Annotated[
        Literal["password", "iam"],
        Field(description="Sign in as the owner with a password or as the process's IAM role."),
    ] = "password"
    region: Annotated[
        str | None, Field(description="The database's AWS region; needed with the authentication by IAM.")
    ] = None
    password: Annotated[
        SecretStr | None, Field(description="The owner's; with IAM, a token is made for each connection.")
    ] = None
    serving_username: Annotated[
        str, Field(min_length=1, max_length=63, description="Whom the gateway signs in as; the owner too.")
    ]
    serving_authentication: Literal["password", "iam"] = "password"
    serving_password: Annotated[
        SecretStr | None, Field(description="With the authentication by password, unless it is the owner.")
    ] = None

    @model_validator(mode="after")
    def _owner_can_sign_in(self) -> "MigrationSettings":
        if self.authentication == "iam" and self.region is None:
            raise ValueError("REGION is missing; with IAM, tokens are signed for it")
        if self.authentication == "password" and self.password is None:
            raise ValueError("PASSWORD is missing; set it, or AUTHENTICATION to iam")
        return self

    @model_validator(mode="after")
    def _password_is_usable(self) -> "MigrationSettings":
        if self.serving_username == self.username or self.serving_authentication == "iam":
            return self
        if self.serving_password is None:
            raise ValueError("SERVING_PASSWORD is missing; set it, or SERVING_AUTHENTICATION to iam")
        if not self.serving_password.get_secret_value().isascii():
            raise ValueError("SERVING_PASSWORD: only ASCII characters are allowed")
        return self


def variable(field: str) -> str:
    """The environment variable of a field; KeyError names a field that does not exist."""
    if field not in MigrationSettings.model_fields:
        known = ", ".join(sorted(MigrationSettings.model_fields))
        raise KeyError(f"{field!r} is no setting of the migration; known: {known}")
    return PREFIX + field.upper()


def load_migration_settings(environ: Mapping[str, str]) -> MigrationSettings:
    """Read the settings from environment variables; others are not looked at.

    Raises MigrationSettingsError naming every variable that is missing or wrong, never its value.
    """
    names = {field: variable(field) for field in MigrationSettings.model_fields}
    values = {field: environ[name] for field, name in names.items() if name in environ}
    try:
        return MigrationSettings.model_validate(values)
    except ValidationError as error:
        problems = [
            f"{names[str(detail['loc'][0])] if detail['loc'] else PREFIX}: "
            + detail["msg"].removeprefix("Value error, ")
            for detail in error.errors(include_input=False)
        ]
        raise MigrationSettingsError("\n".join(problems)) from None
