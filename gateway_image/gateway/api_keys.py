"""API keys: who may call the gateway."""

import json
import re
from collections.abc import Mapping
from hashlib import sha256

MINIMUM_KEY_LENGTH = 32
# Shorter than any key, so that an entry written the wrong way round is refused and its key not shown.
_CALLER = re.compile(rf"[a-zA-Z0-9][a-zA-Z0-9._-]{{0,{MINIMUM_KEY_LENGTH - 2}}}")
# What a bearer token may hold (RFC 6750), so that a key always fits its header.
_KEY = re.compile(rf"[A-Za-z0-9._~+/=-]{{{MINIMUM_KEY_LENGTH},512}}")

_NAME_RULE = (
    f"has a name that is not allowed: use up to {MINIMUM_KEY_LENGTH - 1} letters, digits, '.', '_' and '-'"
)
_KEY_RULE = (
    f"has a key that is not allowed: use {MINIMUM_KEY_LENGTH} to 512 letters, digits and ._~+/=-, "
    "for example from `openssl rand -hex 32`"
)


class ApiKeys:
    """The keys' SHA-256 digests and whom each belongs to. The keys themselves are not kept."""

    def __init__(self, callers: Mapping[bytes, str]) -> None:
        self._callers = callers

    def caller(self, key: str) -> str | None:
        """Return the caller a key belongs to, None if it is nobody's."""
        # The time a look-up takes depends on the digest, which no one can steer towards a stored one.
        return self._callers.get(sha256(key.encode()).digest())


def parse_api_keys(secret: str) -> ApiKeys:
    """Read a JSON object of caller name to API key.

    Raises ValueError naming every caller whose entry is wrong, never a key.
    """
    try:
        pairs = json.loads(secret, object_pairs_hook=list)
    except ValueError:
        pairs = None
    # A JSON array decodes to a list too; only an object decodes to a list of pairs.
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        raise ValueError('is not a JSON object of caller name to API key, such as {"ci": "<key>"}')
    if not pairs:
        raise ValueError("holds no API key; name at least one caller")
    callers: dict[bytes, str] = {}
    problems = []
    for position, (name, key) in enumerate(pairs, start=1):
        if not _CALLER.fullmatch(name):
            problems.append(f"entry {position} {_NAME_RULE}")
        elif not isinstance(key, str) or not _KEY.fullmatch(key):
            problems.append(f"caller {name!r} {_KEY_RULE}")
        elif name in callers.values():
            problems.append(f"caller {name!r} is named twice; give each caller a name of its own")
        elif (owner := callers.setdefault(sha256(key.encode()).digest(), name)) != name:
            problems.append(f"callers {owner!r} and {name!r} have the same key; give each its own")
    if problems:
        raise ValueError("; ".join(problems))
    return ApiKeys(callers)
