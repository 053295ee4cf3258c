"""Remembers whom verified tokens belong to, so that verifying costs once and not for each request."""

import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from gateway.callers import Caller

# What has changed at the issuer is noticed after so long at the latest.
LONGEST_SECONDS = 5 * 60
_TOKENS = 10_000

# The directory's version and the generation of the issuers' keys: with others, a caller may be another.
Versions = tuple[int, int]


class _Verified(NamedTuple):
    caller: Caller
    until: float
    versions: Versions


class VerifiedTokens:
    """Callers by the SHA-256 of their whole token, signature and all; the least recently used go first."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()

    def get(self, token: str, versions: Versions) -> Caller | None:
        """The caller of a token that was verified, unless it has expired or what it was judged by changed."""
        key = _key(token)
        found = self._verified.get(key)
        if found is None:
            return None
        if found.versions != versions or self._clock() >= found.until:
            del self._verified[key]
            return None
        self._verified.move_to_end(key)
        return found.caller

    def put(self, token: str, caller: Caller, expires_at: float, versions: Versions) -> None:
        """Remember a token's caller until Unix time `expires_at`, but not for long."""
        self._verified[_key(token)] = _Verified(
            caller, min(expires_at, self._clock() + LONGEST_SECONDS), versions
        )
        if len(self._verified) > _TOKENS:
            self._verified.popitem(last=False)


def _key(token: str) -> bytes:
    # The whole token: two that begin alike are two.
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
