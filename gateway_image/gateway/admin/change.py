"""A change of the directory: numbered, logged and, with an Idempotency-Key, made once, in one transaction."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256

import asyncpg
import msgspec
from pydantic import BaseModel

from gateway.admin.fields import Given
from gateway.admin.front import Answer, Asked
from gateway.admin.invalid import Json, invalid_field, valid_query
from gateway.admin.store import audit, idempotency
from gateway.errors import GatewayError
from gateway.request import Request

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_REPLAYED = (b"idempotent-replayed", b"true")


@dataclass(frozen=True)
class Change:
    """A change under way. version: its number, for the rows it touches."""

    connection: asyncpg.Connection
    version: int


@dataclass(frozen=True)
class Changed:
    """What a change has done.

    action: such as 'create'; None if all was so already, which is not logged. before, after: the object as
    answers show it, without secrets. kept: what to answer when the same request comes again, if not the same.
    """

    answer: Answer
    action: str | None
    object_type: str
    object_id: str
    before: BaseModel | None = None
    after: BaseModel | None = None
    kept: Answer | None = None


Make = Callable[[Change], Awaitable[Changed]]


async def change(asked: Asked, document: Json | None, make: Make) -> Answer:
    """Make a change and answer it; document is the request's body.

    Changes run one after the other, as each takes the next number first: what `make` reads stays true until
    it is done. Raises GatewayError 409 if another request had the same Idempotency-Key, and what `make`
    raises; nothing is changed then.
    """
    # A parameter that is not there, such as one for a trial, must not be taken for heard.
    valid_query(Given, asked.request.query)
    key = _idempotency_key(asked.request)
    digest = _digest(asked.request, document)
    async with asked.parts.database.connection() as connection, connection.transaction():
        version = await connection.fetchval(
            "UPDATE directory_version SET version = version + 1 RETURNING version"
        )
        if key is not None:
            earlier = await idempotency.find(connection, asked.caller.id, key)
            if earlier is not None:
                return _again(earlier, digest)
        changed = await make(Change(connection, version))
        if changed.action is not None:
            await audit.add(connection, log_entry(asked, changed, changed.action))
        if key is not None:
            await idempotency.keep(connection, _kept(asked, key, digest, changed))
    return changed.answer


def log_entry(asked: Asked, changed: Changed, action: str) -> audit.Entry:
    """The entry that tells of a change."""
    address = asked.request.source_address
    return audit.Entry(
        actor=asked.caller.id,
        actor_name=asked.caller.name,
        source_address=None if address is None else str(address),
        request_id=asked.request.record.request_id,
        action=action,
        object_type=changed.object_type,
        object_id=changed.object_id,
        before=None if changed.before is None else changed.before.model_dump_json(),
        after=None if changed.after is None else changed.after.model_dump_json(),
    )


def _kept(asked: Asked, key: str, digest: bytes, changed: Changed) -> idempotency.Kept:
    answer = changed.kept or changed.answer
    kept = {"body": msgspec.Raw(answer.body()), "etag": answer.etag}
    return idempotency.Kept(
        actor=asked.caller.id,
        key=key,
        request_digest=digest,
        status=answer.status,
        answer=msgspec.json.encode(kept).decode(),
    )


def _again(earlier: idempotency.Kept, digest: bytes) -> Answer:
    # Digests of what callers sent are no secrets of ours.
    if earlier.request_digest != digest:
        raise GatewayError(
            409,
            "This Idempotency-Key came with another request before; use a new one for each change.",
            type="invalid_request_error",
            code="idempotency_key_reused",
        )
    kept = msgspec.json.decode(earlier.answer)
    return Answer(
        msgspec.json.encode(kept["body"]), status=earlier.status, etag=kept["etag"], headers=[_REPLAYED]
    )


def _idempotency_key(request: Request) -> str | None:
    key = request.header(b"idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise invalid_field("Idempotency-Key", key, "1 to 255 visible ASCII characters")
    return key


def _digest(request: Request, document: Json | None) -> bytes:
    asked = (request.method, request.path, request.header(b"if-match"), document)
    return sha256(msgspec.json.encode(asked, order="deterministic")).digest()
