"""Answers given before, for models that have a response cache: the same caller asking the same again.

The same means the very bytes of the body, the operation, and the headers that matter for the answer, as long
as the model's configuration is the same. A streamed answer is kept as the events that were sent.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256

import msgspec

from gateway.cache import keys
from gateway.cache.connection import Cache
from gateway.cache.errors import CacheError
from gateway.call import Call
from gateway.callers import Caller
from gateway.catalog import Model, Strategy
from gateway.catalog.strategies import Conditional

_LARGEST_BYTES = 1024 * 1024
# A model takes longer than this to begin; a cache that is slower is not worth waiting for.
_READ_SECONDS = 0.05

# What a provider acts on.
_PROVIDER_HEADERS = ("anthropic-beta",)
_HEADER_FIELD = "header."

_encode = msgspec.json.Encoder().encode


class CachedResponse:
    """The place of one answer in the cache."""

    def __init__(self, cache: Cache, key: str, ttl_seconds: int, *, may_read: bool) -> None:
        self._cache = cache
        self._key = key
        self._ttl_seconds = ttl_seconds
        self._may_read = may_read
        self._pieces: list[bytes] = []
        self._size = 0

    async def read(self) -> bytes | None:
        """The whole answer, body or events, if it is there; never raises."""
        if not self._may_read:
            return None
        with suppress(CacheError, TimeoutError):
            async with asyncio.timeout(_READ_SECONDS):
                answer: bytes | None = await self._cache.send("GET", self._key)
                return answer
        return None

    def add(self, piece: bytes) -> None:
        """Remember the next piece of an answer that is being sent."""
        self._size += len(piece)
        if self._size <= _LARGEST_BYTES:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def keep(self) -> None:
        """Store the pieces: the answer has come to its proper end. Returns at once and never raises."""
        if 0 < self._size <= _LARGEST_BYTES:
            self._cache.post("SET", self._key, b"".join(self._pieces), "EX", self._ttl_seconds)


class _Entry:
    """What a model's configuration contributes to the key of an answer."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.fingerprint = sha256(model.model_dump_json().encode()).digest()
        self.headers = sorted({*_PROVIDER_HEADERS, *_headers_in_conditions(model.strategy)})


class ResponseCache:
    """Finds the place of a call's answer."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._entries: dict[str, _Entry] = {}

    def place(self, model: Model, caller: Caller, call: Call, cache_control: str) -> CachedResponse | None:
        """Where the answer to a call is kept, None if it is not.

        cache_control: the caller's header; `no-cache` asks for a new answer, `no-store` also not to keep it.
        """
        directives = {directive.strip().lower() for directive in cache_control.split(",")}
        if model.response_cache is None or "no-store" in directives or len(call.body) > _LARGEST_BYTES:
            return None
        return CachedResponse(
            self._cache,
            keys.response(self._digest(model, caller, call)),
            model.response_cache.ttl_seconds,
            may_read="no-cache" not in directives,
        )

    def _digest(self, model: Model, caller: Caller, call: Call) -> str:
        entry = self._entries.get(model.name)
        if entry is None or entry.model is not model:
            entry = self._entries[model.name] = _Entry(model)
        scope = (caller.id, call.operation, [call.headers.get(name) for name in entry.headers])
        # The fingerprint has one length, and JSON ends where it ends: no two calls give the same text.
        return sha256(entry.fingerprint + _encode(scope) + call.body).hexdigest()


def _headers_in_conditions(strategy: Strategy) -> Iterator[str]:
    """The headers that decide which deployment answers."""
    if isinstance(strategy, Conditional):
        for route in strategy.routes:
            for condition in route.when:
                if condition.field.startswith(_HEADER_FIELD):
                    yield condition.field.removeprefix(_HEADER_FIELD)
