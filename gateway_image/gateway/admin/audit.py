"""The log of changes."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field

from gateway.admin.fields import CallerId, Time, Told
from gateway.admin.front import Answer, Asked
from gateway.admin.invalid import Json, valid_query
from gateway.admin.pages import PageQuery, page, place
from gateway.admin.store import audit as store

_NewestId = Annotated[int, msgspec.Meta(ge=1, le=2**62)]


class AuditQuery(PageQuery):
    """Which changes: of an object, by a caller (its ID), from since on and before until."""

    object_type: Literal["project", "key", "role", "usage"] | None = None
    object_id: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] | None = None
    actor: CallerId | None = None
    since: Time | None = None
    until: Time | None = None


class AuditEntry(Told):
    """A change. actor is a caller's ID; before is null for what was created, after for what was deleted."""

    id: int
    at: datetime
    actor: str
    actor_name: str
    source_address: str | None
    request_id: str
    action: str
    object_type: str
    object_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


async def list_changes(asked: Asked) -> Answer:
    """List changes, the newest first."""
    query = valid_query(AuditQuery, asked.request.query)
    filters = store.Filters(**{name: getattr(query, name) for name in store.Filters.__dataclass_fields__})
    before_id = place(_NewestId, query)
    async with asked.parts.database.connection() as connection:
        rows = await store.entries(connection, filters, before_id=before_id, limit=query.limit + 1)
    return Answer(page(rows, query, _entry, lambda row: row["id"]))


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(**{**dict(row), "before": _json(row["before"]), "after": _json(row["after"])})


def _json(text: str | None) -> Json | None:
    return None if text is None else msgspec.json.decode(text)
