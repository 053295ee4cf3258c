"""API keys as they are sent and told."""

from datetime import datetime
from typing import Annotated

import msgspec
from pydantic import Field

from gateway.admin.fields import Given, Models, Name, Networks, ProjectId, Roles, Time, Told
from gateway.admin.pages import PageQuery
from gateway.admin.store import Row
from gateway.admin.store.keys import KeyState
from gateway.callers import Priority
from gateway.limits import Limits

_SECONDS_PER_DAY = 86_400


class KeyInput(Given):
    """What can be changed of a key. roles: names; the role 'default' holds if none of them exists.

    limits: its own, besides those of its roles and its project; models, networks: null for all. priority: who
    is served first while the gateway is overloaded.
    """

    name: Name
    roles: Roles = ()
    limits: Limits = Limits()
    models: Models = None
    networks: Networks = None
    priority: Priority = "normal"
    expires_at: Time | None = None


class NewKey(KeyInput):
    """A key to make."""

    project_id: ProjectId


class Rotation(Given):
    """How long the key that is replaced goes on working."""

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * _SECONDS_PER_DAY)] = _SECONDS_PER_DAY


class Secret(Told):
    """What can be used as a key: it begins with prefix, and ends to work at expires_at."""

    prefix: str
    created_at: datetime
    expires_at: datetime | None


class Key(Told):
    """A key without its secrets; secrets describes those that work, two while the key is rotated."""

    id: str
    project_id: str
    name: str
    roles: list[str]
    limits: dict[str, float | int]
    models: list[str] | None
    networks: list[str] | None
    priority: Priority
    state: KeyState
    expires_at: datetime | None
    revoked_at: datetime | None
    secrets: list[Secret]
    created_at: datetime
    created_by: str
    updated_at: datetime


class ChangedKey(Key):
    """A key as it is after a change; warnings name what may not be as it was meant."""

    warnings: list[str] = Field(default_factory=list)


class MadeKey(ChangedKey):
    """A key with the secret that was made just now; in a replay key is null, and note says why."""

    key: str | None
    note: str | None = None


class KeysQuery(PageQuery):
    """Which keys."""

    project_id: ProjectId | None = None
    name: Name | None = None
    state: KeyState | None = None


def key_of(row: Row) -> Key:
    """A row as answers show it."""
    shown = {name: row[name] for name in Key.model_fields}
    return Key(
        **{
            **shown,
            "limits": msgspec.json.decode(row["limits"]),
            "secrets": [Secret(**secret) for secret in msgspec.json.decode(row["secrets"])],
        }
    )
