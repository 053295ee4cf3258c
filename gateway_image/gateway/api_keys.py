"""API keys: who may call the gateway, how often, and how much it matters when there is too much to do."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, get_args

Priority = Literal["high", "normal", "low"]

_PRIORITIES: dict[object, Priority] = {priority: priority for priority in get_args(Priority)}

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
_ENTRY_RULE = (
    'is neither a key nor an object such as {"key": "<key>", "requests_per_minute": 60, "priority": "normal"}'
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom an API key belongs to, and what it may do.

    requests_per_minute: in any minute, over all processes of the gateway; None is no limit.
    priority: who is served first while the gateway is overloaded.
    """

    name: str
    requests_per_minute: int | None = None
    priority: Priority = "normal"


class ApiKeys:
    """The keys' SHA-256 digests and whom each belongs to. The keys themselves are not kept."""

    def __init__(self, callers: Mapping[bytes, Caller]) -> None:
        self._callers = callers

    def caller(self, key: str) -> Caller | None:
        """Return the caller a key belongs to, None if it is nobody's."""
        # The time a look-up takes depends on the digest, which no one can steer towards a stored one.
        return self._callers.get(sha256(key.encode()).digest())


def parse_api_keys(secret: str) -> ApiKeys:
    """Read a JSON object of caller name to API key, or to an object that holds the key and limits.

    Raises ValueError naming every caller whose entry is wrong, never a key.
    """
    try:
        pairs = json.loads(secret, object_pairs_hook=_Pairs)
    except ValueError:
        pairs = None
    if not isinstance(pairs, _Pairs):
        raise ValueError('is not a JSON object of caller name to API key, such as {"ci": "<key>"}')
    if not pairs:
        raise ValueError("holds no API key; name at least one caller")
    callers: dict[bytes, Caller] = {}
    names: set[str] = set()
    problems = []
    for position, (name, entry) in enumerate(pairs, start=1):
        try:
            key, caller = _read_entry(name, position, entry)
        except ValueError as error:
            problems.append(str(error))
            continue
        if name in names:
            problems.append(f"caller {name!r} is named twice; give each caller a name of its own")
        elif (owner := callers.setdefault(sha256(key.encode()).digest(), caller)) is not caller:
            problems.append(f"callers {owner.name!r} and {name!r} have the same key; give each its own")
        names.add(name)
    if problems:
        raise ValueError("; ".join(problems))
    return ApiKeys(callers)


class _Pairs(list[tuple[str, object]]):
    """A JSON object's members, also those that stand there twice."""


def _read_entry(name: str, position: int, entry: object) -> tuple[str, Caller]:
    if not _CALLER.fullmatch(name):
        raise ValueError(f"entry {position} {_NAME_RULE}")
    members = entry if isinstance(entry, _Pairs) else _Pairs([("key", entry)])
    given = dict(members)
    if len(given) != len(members) or not set(given) <= {"key", "requests_per_minute", "priority"}:
        raise ValueError(f"caller {name!r} {_ENTRY_RULE}")
    key, priority, limit = given.get("key"), given.get("priority", "normal"), given.get("requests_per_minute")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ValueError(f"caller {name!r} {_KEY_RULE}")
    if priority not in _PRIORITIES:
        raise ValueError(f"caller {name!r} has a priority that is not one of {', '.join(get_args(Priority))}")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise ValueError(f"caller {name!r} has a requests_per_minute that is not a whole number from 1")
    return key, Caller(name, limit, _PRIORITIES[priority])
