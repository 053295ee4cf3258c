"""Lists in pages. A page begins behind an entry, not at a number: what is added meanwhile shifts nothing."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import msgspec

from gateway.admin.fields import Cursor, Given, PageSize, Told
from gateway.admin.invalid import invalid_field

EntryT = TypeVar("EntryT")
PlaceT = TypeVar("PlaceT")

DEFAULT_PAGE = 50


class PageQuery(Given):
    """Which page: up to `limit` entries behind `after`."""

    limit: PageSize = DEFAULT_PAGE
    after: Cursor | None = None


class Page(Told, Generic[EntryT]):
    """Entries; `next` is what to send as `after` for those behind them, null if there are none."""

    data: list[EntryT]
    has_more: bool
    next: str | None


class Place(NamedTuple):
    """Behind an entry in the order of creation."""

    created_at: Annotated[datetime, msgspec.Meta(tz=True)]
    id: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_]+$")]


def cursor(place: object) -> str:
    """A place as callers give it back."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place(type_: type[PlaceT], query: PageQuery) -> PlaceT | None:
    """Where a page begins; None for the first one. Raises InvalidFieldsError."""
    if query.after is None:
        return None
    try:
        padded = query.after + "=" * (-len(query.after) % 4)
        found = msgspec.json.decode(base64.b64decode(padded, altchars="-_", validate=True), type=type_)
        if isinstance(found, Place):
            # In UTC, as the database has it, there may be no such time.
            found.created_at.astimezone(UTC)
        return found
    except (binascii.Error, ValueError, OverflowError, msgspec.DecodeError):
        raise invalid_field("after", query.after, "what an earlier answer gave as next") from None


def page(
    rows: Sequence[Any],
    query: PageQuery,
    entry: Callable[[Any], EntryT],
    place_of: Callable[[Any], object],
) -> Page[EntryT]:
    """Make a page of rows, of which one more was asked for than fits."""
    shown = rows[: query.limit]
    has_more = len(rows) > query.limit
    return Page(
        data=[entry(row) for row in shown],
        has_more=has_more,
        next=cursor(place_of(shown[-1])) if has_more else None,
    )
