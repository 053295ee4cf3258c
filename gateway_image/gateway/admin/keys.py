"""API keys. A key's secret is in the answers that make it, and nowhere else: not in the log, not kept."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg

from gateway.admin.change import Change, Changed, change
from gateway.admin.etags import check_if_match, etag
from gateway.admin.fields import Given
from gateway.admin.front import Answer, Asked
from gateway.admin.invalid import Json, invalid_field, merge_patch, read_body, sets_anew, valid, valid_query
from gateway.admin.key_shapes import ChangedKey, Key, KeyInput, KeysQuery, MadeKey, NewKey, Rotation, key_of
from gateway.admin.pages import Place, page, place
from gateway.admin.problems import conflict, not_found, storable
from gateway.admin.store import Row
from gateway.admin.store import keys as store
from gateway.admin.store import projects as project_store
from gateway.admin.store import roles as role_store
from gateway.admin.warnings import unknown_models, unknown_roles
from gateway.identity.key_format import digest, make_key, shown_prefix
from gateway.request import Request

_NOT_SHOWN_AGAIN = "The key was in the first answer to this request and is not kept; rotate it for a new one."


async def list_keys(asked: Asked) -> Answer:
    """List keys, those made last first. Bootstrap keys are not among them."""
    query = valid_query(KeysQuery, asked.request.query)
    filters = store.Filters(project_id=query.project_id, name=query.name, state=query.state)
    after = place(Place, query)
    async with asked.parts.database.connection() as connection:
        rows = await store.several(connection, filters, after=after, limit=query.limit + 1)
    return Answer(page(rows, query, key_of, lambda row: (row["created_at"], row["id"])))


async def read_key(asked: Asked) -> Answer:
    """Read a key, without its secret."""
    valid_query(Given, asked.request.query)
    async with asked.parts.database.connection() as connection:
        row = await _existing(connection, asked)
    return Answer(key_of(row), etag=_etag(row))


async def create_key(asked: Asked) -> Answer:
    """Make a key. The answer holds it, this once."""
    document = await read_body(asked.request)
    given = valid(NewKey, document)
    _check_expiry(given)

    async def make(change: Change) -> Changed:
        connection = change.connection
        project = await project_store.one(connection, given.project_id)
        if project is None:
            raise invalid_field("project_id", given.project_id, "the ID of a project; GET /admin/v1/projects")
        if project["archived_at"] is not None:
            message = f"Project {project['name']!r} is archived; its keys do not work."
            raise conflict(message, code="archived", param="project_id")
        warnings = await _warnings(connection, asked, given)
        key_id = f"key_{secrets.token_hex(8)}"
        await store.add(
            connection,
            key_id,
            given.project_id,
            _values(given),
            change.version,
            created_by=asked.caller.id,
        )
        key = await _new_secret(asked, change, key_id)
        row = await _row(connection, key_id)
        return _made(row, key, warnings, "create", before=None, status=201)

    return await change(asked, document, make)


async def update_key(asked: Asked) -> Answer:
    """Change what is given of a key (JSON Merge Patch); null sets a field back."""
    document = await read_body(asked.request)

    async def make(change: Change) -> Changed:
        row = await _changeable(change, asked)
        before = key_of(row)
        given = valid(KeyInput, _patched(before, document))
        warnings = await _warnings(change.connection, asked, given)
        if not sets_anew(given, before):
            return Changed(_answer(row, warnings), None, "key", row["id"])
        if given.expires_at != before.expires_at:
            _check_expiry(given)
        await store.update(change.connection, row["id"], _values(given), change.version)
        row = await _row(change.connection, row["id"])
        return Changed(_answer(row, warnings), "update", "key", row["id"], before=before, after=key_of(row))

    return await change(asked, document, make)


async def rotate_key(asked: Asked) -> Answer:
    """Make a new secret for a key. The answer holds it, this once; the one before works for a while."""
    # Nothing has to be said about a rotation.
    document = await read_body(asked.request) if _has_body(asked.request) else {}
    rotation = valid(Rotation, document)

    async def make(change: Change) -> Changed:
        row = await _changeable(change, asked)
        if row["state"] != "active":
            message = f"The key is not in use ({row['state']}), and a new secret would not be either."
            raise conflict(message, code=row["state"])
        overlap = rotation.overlap_seconds
        await store.end_secrets(change.connection, row["id"], change.version, overlap_seconds=overlap)
        key = await _new_secret(asked, change, row["id"])
        return _made(await _row(change.connection, row["id"]), key, [], "rotate", before=key_of(row))

    return await change(asked, document, make)


async def revoke_key(asked: Asked) -> Answer:
    """Revoke a key for good: it stops working within seconds."""

    async def make(change: Change) -> Changed:
        row = await _existing(change.connection, asked, for_update=True)
        check_if_match(asked.request, _etag(row))
        if row["revoked_at"] is not None:
            return Changed(_answer(row, []), None, "key", row["id"])
        await store.revoke(change.connection, row["id"], change.version)
        before, row = key_of(row), await _row(change.connection, row["id"])
        return Changed(_answer(row, []), "revoke", "key", row["id"], before=before, after=key_of(row))

    return await change(asked, None, make)


def _has_body(request: Request) -> bool:
    """Whether a body comes with the request, or is meant to."""
    said = (request.header(name) for name in (b"content-type", b"transfer-encoding"))
    return bool(request.declared_length) or any(value is not None for value in said)


async def _new_secret(asked: Asked, change: Change, key_id: str) -> str:
    key = make_key()
    hashed = digest(asked.parts.key_hashing_secret, key)
    await store.add_secret(
        change.connection, key_id, digest=hashed, prefix=shown_prefix(key), version=change.version
    )
    return key


def _made(
    row: Row,
    key: str,
    warnings: list[str],
    action: str,
    *,
    before: Key | None,
    status: int = 200,
) -> Changed:
    shown = key_of(row)
    answer = Answer(
        MadeKey(**dict(shown), warnings=warnings, key=key),
        status=status,
        etag=_etag(row),
    )
    without_secret = MadeKey(**dict(shown), warnings=warnings, key=None, note=_NOT_SHOWN_AGAIN)
    kept = replace(answer, content=without_secret, status=200)
    return Changed(answer, action, "key", row["id"], before=before, after=shown, kept=kept)


def _answer(row: Row, warnings: list[str]) -> Answer:
    return Answer(ChangedKey(**dict(key_of(row)), warnings=warnings), etag=_etag(row))


def _etag(row: Row) -> str:
    # Time alone changes these.
    return etag(row["version"], row["state"], row["secrets"].count('"prefix"'))


def _input_of(key: Key) -> Json:
    document: Json = key.model_dump(mode="json", include=set(KeyInput.model_fields))
    return document


def _patched(key: Key, patch: Json) -> Json:
    if "project_id" in patch and patch["project_id"] != key.project_id:
        raise invalid_field(
            "project_id", patch["project_id"], f"{key.project_id}: a key stays in its project; make another"
        )
    return merge_patch(_input_of(key), {name: patch[name] for name in patch if name != "project_id"})


def _values(given: KeyInput) -> store.Values:
    return store.Values(
        name=given.name,
        roles=list(dict.fromkeys(given.roles)),
        limits=given.limits.model_dump_json(exclude_none=True),
        models=given.models,
        networks=given.networks,
        priority=given.priority,
        expires_at=given.expires_at,
    )


def _check_expiry(given: KeyInput) -> None:
    if given.expires_at is not None and given.expires_at <= datetime.now(UTC):
        raise invalid_field(
            "expires_at", given.expires_at, "a time in the future; to end a key now, revoke it"
        )


async def _warnings(connection: asyncpg.Connection, asked: Asked, given: KeyInput) -> list[str]:
    roles = await role_store.by_name(connection, given.roles)
    known = [role["name"] for role in roles]
    return [*unknown_models(asked, given.models), *unknown_roles(given.roles, known)]


async def _changeable(change: Change, asked: Asked) -> Row:
    row = await _existing(change.connection, asked, for_update=True)
    check_if_match(asked.request, _etag(row))
    if row["revoked_at"] is not None:
        raise conflict("The key is revoked, for good; make another one.", code="revoked")
    return row


async def _existing(connection: asyncpg.Connection, asked: Asked, *, for_update: bool = False) -> Row:
    key_id = asked.request.path_value or ""
    row: Row | None = await store.one(connection, storable(key_id), for_update=for_update)
    if row is not None:
        return row
    raise not_found("key", key_id)


async def _row(connection: asyncpg.Connection, key_id: str) -> Row:
    row: Row | None = await store.one(connection, key_id)
    assert row is not None  # noqa: S101 (it was written in this transaction)
    return row
