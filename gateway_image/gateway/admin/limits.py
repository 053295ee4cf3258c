"""The limits that hold for a caller or a project, and what is used of them now."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import asyncpg
from pydantic import Field

from gateway.admin.fields import CallerId, Given, KeyId, ProjectId, Roles, Told
from gateway.admin.front import Answer, Asked
from gateway.admin.invalid import FieldError, InvalidFieldsError, valid, valid_query
from gateway.admin.parts import Standing
from gateway.admin.problems import not_found
from gateway.admin.store import keys as key_store
from gateway.admin.store import projects as project_store
from gateway.admin.store import roles as role_store
from gateway.callers import DEFAULT_ROLE, Caller, Project, Role, Subject
from gateway.catalog.names import ModelName
from gateway.directory.records import RecordError, read_limits, read_project, read_role
from gateway.identity.errors import unreadable_record
from gateway.limits import DIMENSIONS, NANO_USD, Limits, Unit, Window
from gateway.routing.router import unknown_model

# For limits on all models together the model does not matter; no catalog has one of this name.
_NO_MODEL = ""


class LimitsQuery(Given):
    """Whose limits: exactly one of caller_id, key_id and project_id.

    model: with the limits on this model, too; else those on all models together.
    roles: of a person or a machine that signs in, separated by commas: they are in its token, not here.
    """

    caller_id: CallerId | None = None
    key_id: KeyId | None = None
    project_id: ProjectId | None = None
    model: ModelName | None = None
    roles: Annotated[str, Field(max_length=4000)] | None = None


class LimitStanding(Told):
    """One limit. Amounts are requests, tokens or USD, by `unit`.

    of: whose use counts together. model: the model whose use alone counts, null for all. used: with what
    running requests may use at most. reset_seconds, resets_at: when all of it will be there again; null for
    what is never there again.
    """

    of: Literal["caller", "project"]
    id: str
    model: str | None
    name: str
    unit: Unit
    window: Window
    limit: float | int
    used: float | int
    remaining: float | int
    reset_seconds: int | None
    resets_at: datetime | None


class LimitsAnswer(Told):
    """Every limit that holds."""

    data: list[LimitStanding]


class _GivenRoles(Given):
    roles: Roles


async def read_limits_of(asked: Asked) -> Answer:
    """Read the limits of a caller, an API key or a project, and what is used of them."""
    query = valid_query(LimitsQuery, asked.request.query)
    _check_one_subject(query)
    check_model(asked, query.model)
    async with asked.parts.database.connection() as connection:
        try:
            if query.project_id is not None:
                project = await _project(connection, query.project_id)
                limits = [(Subject("project", project.id, None), project.limits)]
            else:
                caller = await _caller(connection, asked, query)
                limits = limits_of(caller, query.model)
        except RecordError as error:
            raise unreadable_record(str(error)) from error
    return await standing_of(asked, limits)


def limits_of(caller: Caller, model: str | None) -> list[tuple[Subject, Limits]]:
    """The limits of a caller, on a model as well if there is one."""
    limits = caller.limits_on(_NO_MODEL if model is None else model)
    return [each for each in limits if model is not None or each[0].model is None]


async def standing_of(asked: Asked, limits: Sequence[tuple[Subject, Limits]]) -> Answer:
    """Answer with what is used of limits now; raises CacheError."""
    standing = await asked.parts.counters.standing(limits) if limits else []
    return Answer(LimitsAnswer(data=[_told(each) for each in standing]))


def _told(standing: Standing) -> LimitStanding:
    unit, window = DIMENSIONS[standing.name]
    seconds = standing.reset_seconds
    return LimitStanding(
        of=standing.subject.kind,
        id=standing.subject.id,
        model=standing.subject.model,
        name=standing.name,
        unit=unit,
        window=window,
        limit=_amount(standing.limit, unit),
        used=_amount(standing.used, unit),
        remaining=_amount(max(standing.limit - standing.used, 0), unit),
        reset_seconds=None if seconds is None else math.ceil(seconds),
        resets_at=None if seconds is None else _from_now(seconds),
    )


def _amount(amount: int, unit: Unit) -> float | int:
    return amount / NANO_USD if unit == "usd" else amount


def _from_now(seconds: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)


def _check_one_subject(query: LimitsQuery) -> None:
    given = {name: value for name in ("caller_id", "key_id", "project_id") if (value := getattr(query, name))}
    if len(given) != 1:
        allowed = "exactly one of caller_id, key_id and project_id"
        fields = given or {"caller_id": None}
        raise InvalidFieldsError([FieldError(name, value, allowed) for name, value in fields.items()])


def check_model(asked: Asked, model: str | None) -> None:
    """Raise GatewayError 404 for a model that the catalog does not have."""
    if model is not None and model not in asked.parts.catalog().by_name:
        raise unknown_model(model)


async def _caller(connection: asyncpg.Connection, asked: Asked, query: LimitsQuery) -> Caller:
    caller_id = query.key_id or query.caller_id or ""
    kind, _, name = caller_id.partition(":")
    if caller_id.startswith("key_"):
        return await _key(connection, caller_id)
    if kind == "bootstrap":
        caller = asked.parts.bootstrap_callers.get(caller_id)
        if caller is None:
            raise not_found("caller", caller_id)
        return caller
    names = valid(_GivenRoles, {"roles": query.roles.split(",") if query.roles else []}).roles
    project = await project_store.of_client(connection, name) if kind == "client" else None
    return Caller(
        caller_id,
        name,
        "client" if kind == "client" else "user",
        project=None if project is None else read_project(project),
        roles=await _roles(connection, names),
    )


async def _key(connection: asyncpg.Connection, key_id: str) -> Caller:
    row = await key_store.one(connection, key_id)
    if row is None:
        raise not_found("key", key_id)
    return Caller(
        key_id,
        row["name"],
        "key",
        project=await _project(connection, row["project_id"]),
        roles=await _roles(connection, row["roles"]),
        limits=read_limits(row["limits"]),
    )


async def _project(connection: asyncpg.Connection, project_id: str) -> Project:
    row = await project_store.one(connection, project_id)
    if row is None:
        raise not_found("project", project_id)
    return read_project(row)


async def _roles(connection: asyncpg.Connection, names: Sequence[str]) -> tuple[Role, ...]:
    """As the directory has them: the role 'default' holds if there is none of them."""
    rows = await role_store.by_name(connection, names) or await role_store.by_name(connection, [DEFAULT_ROLE])
    return tuple(read_role(row) for row in rows)
