"""Roles: what callers may use. People and machines have them by their groups, keys by their list."""

from datetime import datetime
from typing import Annotated

import asyncpg
import msgspec
from pydantic import Field, TypeAdapter, ValidationError

from gateway.admin.change import Change, Changed, change
from gateway.admin.etags import check_if_match, check_not_there, etag
from gateway.admin.fields import Description, Given, ModelOrAny, Models, RoleName, Told
from gateway.admin.front import Answer, Asked
from gateway.admin.invalid import invalid_field, read_body, sets_anew, valid, valid_query
from gateway.admin.pages import PageQuery, page, place
from gateway.admin.problems import conflict, not_found, storable
from gateway.admin.store import Row
from gateway.admin.store import roles as store
from gateway.admin.warnings import unknown_models
from gateway.limits import Limits

_role_name = TypeAdapter(RoleName)


class RoleInput(Given):
    """What is set of a role. limits: of all models together; model_limits: of a model, or '*' for the others.

    models: those that may be called, null for all. A caller with several roles has the most of each.
    """

    description: Description = ""
    limits: Limits = Limits()
    model_limits: Annotated[dict[ModelOrAny, Limits], Field(max_length=500, default_factory=dict)]
    models: Models = None


class Role(Told):
    """A role. built_in: it is there always; 'admin' opens the admin API, 'default' is for callers with none.

    created_at, updated_at: null for a built-in role that was never set.
    """

    name: str
    description: str
    limits: dict[str, float | int]
    model_limits: dict[str, dict[str, float | int]]
    models: list[str] | None
    built_in: bool
    created_at: datetime | None
    updated_at: datetime | None


class ChangedRole(Role):
    """A role as it is after a change; warnings name what may not be as it was meant."""

    warnings: list[str] = Field(default_factory=list)


class DeletedRole(Told):
    """A role that is gone."""

    name: str
    deleted: bool


async def list_roles(asked: Asked) -> Answer:
    """List roles by name."""
    query = valid_query(PageQuery, asked.request.query)
    after = place(str, query)
    async with asked.parts.database.connection() as connection:
        rows = await store.several(
            connection, after=None if after is None else storable(after), limit=query.limit + 1
        )
    return Answer(page(rows, query, role_of, lambda row: row["name"]))


async def read_role(asked: Asked) -> Answer:
    """Read a role."""
    valid_query(Given, asked.request.query)
    async with asked.parts.database.connection() as connection:
        row = await _existing(connection, asked)
    return Answer(role_of(row), etag=etag(row["version"]))


async def put_role(asked: Asked) -> Answer:
    """Create a role, or replace what is set of it."""
    name = _valid_name(asked)
    document = await read_body(asked.request)
    given = valid(RoleInput, document)
    warnings = unknown_models(asked, [*(given.models or ()), *given.model_limits])

    async def make(change: Change) -> Changed:
        row = await store.one(change.connection, name)
        check_not_there(asked.request, is_there=row is not None)
        if row is not None:
            check_if_match(asked.request, etag(row["version"]))
        before = None if row is None else role_of(row)
        if row is not None and before is not None and not sets_anew(given, before):
            return Changed(_answer(row, warnings), None, "role", name)
        new = await store.put(change.connection, name, _values(given), change.version)
        answer = _answer(new, warnings, status=201 if row is None else 200)
        action = "create" if row is None else "update"
        return Changed(answer, action, "role", name, before=before, after=role_of(new))

    return await change(asked, document, make)


async def delete_role(asked: Asked) -> Answer:
    """Delete a role: callers that have it alone fall back to the role 'default'."""
    name = asked.request.path_value or ""
    if name in store.BUILT_IN:
        raise conflict(
            f"The role {name!r} is built in and stays; PUT it with an empty object to set it back.",
            code="built_in_role",
        )

    async def make(change: Change) -> Changed:
        row = await _existing(change.connection, asked)
        check_if_match(asked.request, etag(row["version"]))
        await store.delete(change.connection, name, change.version)
        answer = Answer(DeletedRole(name=name, deleted=True))
        return Changed(answer, "delete", "role", name, before=role_of(row))

    return await change(asked, None, make)


def role_of(row: Row) -> Role:
    """A row as answers show it."""
    return Role(
        name=row["name"],
        description=row["description"],
        limits=msgspec.json.decode(row["limits"]),
        model_limits=msgspec.json.decode(row["model_limits"]),
        models=row["models"],
        built_in=row["name"] in store.BUILT_IN,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _answer(row: Row, warnings: list[str], *, status: int = 200) -> Answer:
    changed = ChangedRole(**dict(role_of(row)), warnings=warnings)
    return Answer(changed, status=status, etag=etag(row["version"]))


def _values(given: RoleInput) -> store.Values:
    model_limits = {
        name: limits.model_dump(mode="json", exclude_none=True) for name, limits in given.model_limits.items()
    }
    return store.Values(
        description=given.description,
        limits=given.limits.model_dump_json(exclude_none=True),
        model_limits=msgspec.json.encode(model_limits).decode(),
        models=given.models,
    )


def _valid_name(asked: Asked) -> str:
    name = asked.request.path_value or ""
    try:
        return _role_name.validate_python(name)
    except ValidationError as error:
        raise invalid_field("name", name, error.errors()[0]["msg"]) from None


async def _existing(connection: asyncpg.Connection, asked: Asked) -> Row:
    name = asked.request.path_value or ""
    row: Row | None = await store.one(connection, storable(name))
    if row is None:
        raise not_found("role", name)
    return row
