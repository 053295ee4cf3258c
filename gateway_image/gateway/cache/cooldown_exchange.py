"""How gateway processes learn of each other's cooldowns: told at once, and kept for those who come later."""

import time
from collections.abc import Callable

import msgspec

from gateway.cache.connection import Cache
from gateway.cache.keys import COOLDOWNS
from gateway.routing.cooldown import RECOVERED, Cooldown

# Longer than any cooldown: a hash that nothing was added to for so long holds none.
_KEPT_SECONDS = 86_400

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Cooldown).decode


class SharedCooldowns:
    """A CooldownExchange: a channel for those who listen, and a hash of the cooldowns for those who did not.

    While the cache is away nothing is exchanged, and each process goes by what it sees itself.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def tell(self, cooldown: Cooldown) -> None:
        """Pass a cooldown, or a recovery, on; returns at once and never raises."""
        message = _encode(cooldown)
        if cooldown.until_unix_seconds == RECOVERED:
            self._cache.post("HDEL", COOLDOWNS, cooldown.deployment)
        else:
            self._cache.post("HSET", COOLDOWNS, cooldown.deployment, message)
            self._cache.post("EXPIRE", COOLDOWNS, _KEPT_SECONDS)
        self._cache.post("PUBLISH", COOLDOWNS, message)

    def listen(self, learn: Callable[[Cooldown], None]) -> None:
        """Have what any process tells, this one too, passed to `learn`; call it before the cache connects."""

        def hear(message: bytes) -> None:
            if (cooldown := _read(message)) is not None:
                learn(cooldown)

        async def catch_up() -> None:
            now = time.time()
            for message in (await self._cache.send("HGETALL", COOLDOWNS)).values():
                cooldown = _read(message)
                # One that has passed says nothing of what happened since.
                if cooldown is not None and cooldown.until_unix_seconds > now:
                    learn(cooldown)

        self._cache.subscribe(COOLDOWNS, hear, catch_up)


def _read(message: bytes) -> Cooldown | None:
    try:
        return _decode(message)
    except msgspec.DecodeError:
        # From another version of the gateway; this process will find out by itself.
        return None
