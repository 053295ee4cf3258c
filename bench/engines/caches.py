"""The candidates for talking to Valkey: each runs one script by its SHA, as admitting a request does."""

# The candidates are installed in this benchmark's own environment, not in the project's.
# mypy: disable-error-code="import-not-found,no-untyped-call"

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

ADMIT = """
local used = redis.call('INCRBY', KEYS[1], ARGV[1])
if used == tonumber(ARGV[1]) then redis.call('EXPIRE', KEYS[1], 60) end
return used <= tonumber(ARGV[2]) and 1 or 0
"""
_ARGUMENTS = ["1", "1000000000"]


@dataclass(frozen=True)
class Cache:
    """Whether a caller may go on; raises the client's own error when the cache is away."""

    admit: Callable[[str], Awaitable[bool]]


@asynccontextmanager
async def redis_py(port: int) -> AsyncIterator[Cache]:
    """redis-py with hiredis."""
    from redis.asyncio import Redis

    client = Redis(port=port, socket_timeout=1, socket_connect_timeout=1)
    script = client.register_script(ADMIT)

    async def admit(caller: str) -> bool:
        return bool(await script(keys=[caller], args=_ARGUMENTS))

    try:
        yield Cache(admit)
    finally:
        await client.aclose()


@asynccontextmanager
async def coredis(port: int) -> AsyncIterator[Cache]:
    """coredis, pure Python."""
    from coredis import Redis

    async with Redis(port=port, stream_timeout=1, connect_timeout=1) as client:
        script = client.register_script(ADMIT)

        async def admit(caller: str) -> bool:
            return bool(await script([caller], _ARGUMENTS))

        yield Cache(admit)


@asynccontextmanager
async def glide(port: int) -> AsyncIterator[Cache]:
    """valkey-glide: a Rust core behind a Python face."""
    from glide import (
        GlideClient,
        GlideClientConfiguration,
        NodeAddress,
        Script,
    )

    configuration = GlideClientConfiguration([NodeAddress("127.0.0.1", port)], request_timeout=1000)
    client = await GlideClient.create(configuration)
    script = Script(ADMIT)

    async def admit(caller: str) -> bool:
        return bool(await client.invoke_script(script, keys=[caller], args=_ARGUMENTS))

    try:
        yield Cache(admit)
    finally:
        await client.close()


CACHES: dict[str, Callable[[int], AbstractAsyncContextManager[Cache]]] = {
    "redis-py": redis_py,
    "coredis": coredis,
    "valkey-glide": glide,
}
