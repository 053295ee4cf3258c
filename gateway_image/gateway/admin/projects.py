"""Projects: groups of callers with a pooled allowance."""

import secrets
from datetime import datetime
from typing import Literal

import asyncpg
import msgspec
from pydantic import Field

from gateway.admin.change import Change, Changed, change
from gateway.admin.etags import check_if_match, etag
from gateway.admin.fields import Client, Description, Given, Models, Name, Networks, Told
from gateway.admin.front import Answer, Asked
from gateway.admin.invalid import Json, merge_patch, read_body, sets_anew, valid, valid_query
from gateway.admin.pages import PageQuery, Place, page, place
from gateway.admin.problems import conflict, name_is_free, not_found, storable
from gateway.admin.store import Row
from gateway.admin.store import keys as key_store
from gateway.admin.store import projects as store
from gateway.admin.warnings import unknown_models
from gateway.limits import Limits


class ProjectInput(Given):
    """What is set of a project. limits: for all its callers together; models, networks: null for all.

    clients: machines that sign in with client credentials and call in its name, as 'issuer#client_id'.
    """

    name: Name
    description: Description = ""
    limits: Limits = Limits()
    models: Models = None
    networks: Networks = None
    clients: tuple[Client, ...] = Field(default=(), max_length=100)


class Project(Told):
    """A project. Its keys stop working when it is archived."""

    id: str
    name: str
    description: str
    limits: dict[str, float | int]
    models: list[str] | None
    networks: list[str] | None
    clients: list[str]
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


class ChangedProject(Project):
    """A project as it is after a change; warnings name what may not be as it was meant."""

    warnings: list[str] = Field(default_factory=list)


class ProjectsQuery(PageQuery):
    """Which projects."""

    state: Literal["active", "archived", "all"] = "active"
    name: Name | None = None


async def list_projects(asked: Asked) -> Answer:
    """List projects, those made last first."""
    query = valid_query(ProjectsQuery, asked.request.query)
    after = place(Place, query)
    async with asked.parts.database.connection() as connection:
        rows = await store.several(
            connection, query.state, name=query.name, after=after, limit=query.limit + 1
        )
    return Answer(page(rows, query, project_of, lambda row: (row["created_at"], row["id"])))


async def create_project(asked: Asked) -> Answer:
    """Create a project."""
    document = await read_body(asked.request)
    given = valid(ProjectInput, document)

    async def make(change: Change) -> Changed:
        await _check_clients(change.connection, given, None)
        project_id = f"proj_{secrets.token_hex(8)}"
        with name_is_free(given.name):
            row = await store.add(change.connection, project_id, _values(given), change.version)
        answer = _answer(row, unknown_models(asked, given.models), status=201)
        return Changed(answer, "create", "project", project_id, after=project_of(row))

    return await change(asked, document, make)


async def read_project(asked: Asked) -> Answer:
    """Read a project, archived or not."""
    valid_query(Given, asked.request.query)
    async with asked.parts.database.connection() as connection:
        row = await _existing(connection, asked)
    return Answer(project_of(row), etag=etag(row["version"]))


async def update_project(asked: Asked) -> Answer:
    """Change what is given of a project (JSON Merge Patch); null sets a field back."""
    document = await read_body(asked.request)

    async def make(change: Change) -> Changed:
        row = await _existing(change.connection, asked, for_update=True)
        check_if_match(asked.request, etag(row["version"]))
        before = project_of(row)
        given = valid(ProjectInput, merge_patch(_input_of(before), document))
        warnings = unknown_models(asked, given.models)
        if row["archived_at"] is not None:
            raise conflict(f"Project {row['name']!r} is archived; create another one.", code="archived")
        if not sets_anew(given, before):
            return Changed(_answer(row, warnings), None, "project", row["id"])
        await _check_clients(change.connection, given, row["id"])
        with name_is_free(given.name):
            row = await store.update(change.connection, row["id"], _values(given), change.version)
        return Changed(
            _answer(row, warnings), "update", "project", row["id"], before=before, after=project_of(row)
        )

    return await change(asked, document, make)


async def archive_project(asked: Asked) -> Answer:
    """Archive a project: its keys and clients stop working. Its usage stays."""

    async def make(change: Change) -> Changed:
        row = await _existing(change.connection, asked, for_update=True)
        check_if_match(asked.request, etag(row["version"]))
        if row["archived_at"] is not None:
            return Changed(_answer(row, []), None, "project", row["id"])
        stopping = await key_store.count_active(change.connection, row["id"])
        before = project_of(row)
        row = await store.archive(change.connection, row["id"], change.version)
        warnings = [f"API keys that stop working with it: {stopping}."] if stopping else []
        return Changed(
            _answer(row, warnings), "archive", "project", row["id"], before=before, after=project_of(row)
        )

    return await change(asked, None, make)


def project_of(row: Row) -> Project:
    """A row as answers show it."""
    shown = {name: row[name] for name in Project.model_fields}
    return Project(**{**shown, "limits": msgspec.json.decode(row["limits"])})


def _input_of(project: Project) -> Json:
    """What was set of a project, as it would be sent."""
    document: Json = project.model_dump(mode="json", include=set(ProjectInput.model_fields))
    return document


def _answer(row: Row, warnings: list[str], *, status: int = 200) -> Answer:
    changed = ChangedProject(**dict(project_of(row)), warnings=warnings)
    return Answer(changed, status=status, etag=etag(row["version"]))


def _values(given: ProjectInput) -> store.Values:
    return store.Values(
        name=given.name,
        description=given.description,
        limits=given.limits.model_dump_json(exclude_none=True),
        models=given.models,
        networks=given.networks,
        clients=list(dict.fromkeys(given.clients)),
    )


async def _existing(connection: asyncpg.Connection, asked: Asked, *, for_update: bool = False) -> Row:
    project_id = asked.request.path_value or ""
    row: Row | None = await store.one(connection, storable(project_id), for_update=for_update)
    if row is None:
        raise not_found("project", project_id)
    return row


async def _check_clients(connection: asyncpg.Connection, given: ProjectInput, project_id: str | None) -> None:
    other = await store.with_clients(connection, given.clients, but=project_id)
    if other is not None:
        raise conflict(
            f"The client {other['client']!r} calls for project {other['name']!r} ({other['id']}) already, "
            "and a client has one project; take it out there first.",
            code="client_taken",
            param="clients",
        )
