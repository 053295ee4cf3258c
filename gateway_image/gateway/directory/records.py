"""What the rows of the directory mean. A row that cannot be read is a RecordError, and stops no other."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from pydantic import ValidationError

from gateway.callers import PRIORITIES, Network, Priority, Project, Role
from gateway.limits import UNLIMITED, Limits

Row = Mapping[str, Any]


class RecordError(ValueError):
    """A row makes no sense to this version of the gateway; the message says which, and why."""


# The garbage collector does not look at either: there are tens of thousands, and no cycles in them.
class KeyRecord(msgspec.Struct, frozen=True, gc=False):
    """An API key as it is stored: who its caller is depends on its project and roles as well.

    expires_at: in Unix time. problem: why the row cannot be read, None if it can.
    """

    id: str
    project_id: str
    name: str
    roles: tuple[str, ...]
    expires_at: float
    limits: Limits = UNLIMITED
    models: frozenset[str] | None = None
    networks: tuple[Network, ...] | None = None
    priority: Priority = "normal"
    problem: str | None = None


class SecretRecord(msgspec.Struct, frozen=True, gc=False):
    """A secret of a key. expires_at: in Unix time, as while a key is rotated."""

    key_id: str
    expires_at: float


def read_key(row: Row) -> KeyRecord:
    """Read a row of api_keys; what cannot be read is the record's problem."""
    key_id, expires_at = row["id"], unix_time(row["expires_at"])
    project_id, roles = _same(row["project_id"]), _same(tuple(row["roles"]))
    try:
        return KeyRecord(
            key_id,
            project_id,
            row["name"],
            roles,
            expires_at,
            limits=read_limits(row["limits"]),
            models=_models(row),
            networks=_networks(row),
            priority=_priority(row["priority"]),
        )
    except ValueError as error:
        problem = f"the API key {key_id}: {error}"
        return KeyRecord(key_id, project_id, row["name"], roles, expires_at, problem=problem)


def read_project(row: Row) -> Project:
    """Read a row of projects; raises RecordError."""
    try:
        return Project(
            row["id"],
            row["name"],
            limits=read_limits(row["limits"]),
            models=_models(row),
            networks=_networks(row),
        )
    except ValueError as error:
        raise RecordError(f"the project {row['id']}: {error}") from None


def read_role(row: Row) -> Role:
    """Read a row of roles; raises RecordError."""
    try:
        by_model = _object(row["model_limits"])
        return Role(
            row["name"],
            limits=read_limits(row["limits"]),
            model_limits={model: read_limits(limits) for model, limits in by_model.items()},
            models=_models(row),
        )
    except ValueError as error:
        raise RecordError(f"the role {row['name']}: {error}") from None


def read_limits(document: Any) -> Limits:
    """Read limits, from JSON or from what was read from it; raises RecordError."""
    if document is None:
        return UNLIMITED
    text = document if isinstance(document, str) else json.dumps(document, sort_keys=True)
    return _read_limits(text)


def unix_time(moment: datetime | None) -> float:
    """A moment in Unix time; for none, one that never comes."""
    return math.inf if moment is None else moment.timestamp()


@lru_cache(maxsize=1024)
def _read_limits(text: str) -> Limits:
    # Most keys have the same few limits: each is read, and kept, once.
    try:
        limits = Limits.model_validate(_object(text))
    except ValidationError as error:
        where = ", ".join(sorted({".".join(map(str, each["loc"])) for each in error.errors()}))
        raise RecordError(f"its limits cannot be read: {where[:200]}") from None
    return UNLIMITED if limits == UNLIMITED else limits


def _object(document: Any) -> dict[str, Any]:
    try:
        found = json.loads(document) if isinstance(document, str) else document
    except ValueError:
        raise RecordError("its limits are no JSON") from None
    if not isinstance(found, dict):
        raise RecordError("its limits are no JSON object")
    return found


def _models(row: Row) -> frozenset[str] | None:
    return None if row["models"] is None else _same(frozenset(row["models"]))


def _networks(row: Row) -> tuple[Network, ...] | None:
    return None if row["networks"] is None else _same(tuple(row["networks"]))


def _priority(name: str) -> Priority:
    for priority in PRIORITIES:
        if priority == name:
            return priority
    raise RecordError("its priority is none of this version's")


@lru_cache(maxsize=4096)
def _same(value: Any) -> Any:
    """The first of all equal values: tens of thousands of keys have a few lists between them."""
    return value
