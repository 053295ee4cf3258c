"""gatehouse provider-keys: the API keys of model providers, which nobody can read back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from operations import values
from operations.commands import Group, Session, with_session
from operations.configuration import configuration, environment_option
from operations.errors import WrongUsageError

if TYPE_CHECKING:
    from operations.output import Shown
    from operations.provider_secrets import ProviderSecret


@click.group("provider-keys", cls=Group)
def provider_keys() -> None:
    """The API keys of model providers, in AWS Secrets Manager."""


@provider_keys.command("list", asks_gateway=False, examples="gatehouse provider-keys list --environment prod")
@environment_option
@with_session
def list_keys(session: Session, environment: str) -> None:
    """List the secrets that the catalog names, and when each was changed; never a value."""
    from operations.provider_secrets import ProviderSecrets

    config, catalog = configuration(environment)
    found = ProviderSecrets(config, catalog).all()
    facts = [each.facts() for each in found]
    session.show(facts, lambda: _table(found))


@provider_keys.command(
    "set",
    asks_gateway=False,
    examples="""
    gatehouse provider-keys set openai --environment prod
    pbpaste | gatehouse provider-keys set gatehouse/prod/providers/openai --environment prod""",
)
@click.argument("name")
@environment_option
@with_session
def set_key(session: Session, name: str, environment: str) -> None:
    """Store a provider's API key, from a hidden prompt or from stdin.

    NAME is the secret's, as the catalog has it in api_key_secret, or its last part. A secret that does not
    exist is made: encrypted with the environment's key, and readable by the gateway alone.
    """
    from operations.provider_secrets import ProviderSecrets

    config, catalog = configuration(environment)
    secrets = ProviderSecrets(config, catalog)
    secret_id = secrets.named(name)
    done = secrets.put(secret_id, _key())
    facts = {
        "secret": secret_id,
        "done": done,
        "version": "AWSCURRENT",
        "deployments": secrets.deployments(secret_id),
    }
    session.show(facts, lambda: _stored(secret_id, done, secrets.deployments(secret_id)))
    session.say(
        "Gateways that run take the new key within five minutes, and at once when the provider refuses the "
        "old one; no restart is needed. The old key is kept as AWSPREVIOUS: end it at the provider."
    )


def _key() -> str:
    """The key from whoever runs the command: it is in no argument and no variable, and is never shown."""
    if sys.stdin.isatty():
        text = click.prompt("API key", hide_input=True, err=True, confirmation_prompt=False)
    else:
        text = sys.stdin.read()
    key = text.strip()
    if not key or len(key) > 4096 or not all("!" <= character <= "~" for character in key):
        raise WrongUsageError(
            "that is no API key: allowed are up to 4096 printable ASCII characters without spaces"
        )
    return key


def _stored(secret_id: str, done: str, deployments: Sequence[str]) -> Shown:
    from operations.output import fields

    return fields([("Secret", secret_id), ("Key", done), ("Deployments", ", ".join(deployments))])


def _table(found: Sequence[ProviderSecret]) -> Shown:
    from operations.output import state, table

    now = datetime.now(UTC)
    rows = [
        (
            each.secret_id,
            state("active" if each.changed_at else "missing"),
            values.shown_span((now - each.changed_at).total_seconds()) if each.changed_at else "-",
            values.shown_time(values.written(each.changed_at)) if each.changed_at else "-",
            values.shown_time(values.written(each.created_at)) if each.created_at else "-",
            ", ".join(each.deployments),
        )
        for each in found
    ]
    return table("Secret", "!State", "!Age", "!Changed", "?Created", "?Deployments", rows=rows)
