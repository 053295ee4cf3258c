"""Bootstrap keys: they stand in a secret, and hold before there is a database and while there is none."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, get_args

from pydantic import ValidationError

from gateway.callers import ADMIN_ROLE, PRIORITIES, Caller, Priority, Role
from gateway.identity.key_format import digest
from gateway.limits import UNLIMITED, Limits

MINIMUM_KEY_LENGTH = 32
MAXIMUM_KEY_LENGTH = 512
# Shorter than any key, so that an entry written the wrong way round is refused and its key not shown.
_CALLER = re.compile(rf"[a-zA-Z0-9][a-zA-Z0-9._-]{{0,{MINIMUM_KEY_LENGTH - 2}}}")
# What a bearer token may hold (RFC 6750), so that a key always fits its header.
_KEY = re.compile(rf"[A-Za-z0-9._~+/=-]{{{MINIMUM_KEY_LENGTH},{MAXIMUM_KEY_LENGTH}}}")

_NAME_RULE = (
    f"has a name that is not allowed: use up to {MINIMUM_KEY_LENGTH - 1} letters, digits, '.', '_' and '-'"
)
_KEY_RULE = (
    f"has a key that is not allowed: use {MINIMUM_KEY_LENGTH} to {MAXIMUM_KEY_LENGTH} letters, digits and "
    "._~+/=-, for example from `openssl rand -hex 32`"
)
_ENTRY_RULE = (
    'is neither a key nor an object such as {"key": "<key>", "priority": "normal", "admin": false, '
    '"limits": {"requests_per_minute": 60}}'
)
_MEMBERS = frozenset({"key", "priority", "admin", "limits"})


class BootstrapKey(NamedTuple):
    """A key and whom it belongs to."""

    key: str
    caller: Caller

    def __repr__(self) -> str:
        return f"BootstrapKey({self.caller.id!r})"


def by_digest(keys: Iterable[BootstrapKey], hashing_secret: bytes) -> dict[bytes, Caller]:
    """Whom each key belongs to, by the key's digest; the keys themselves are not kept."""
    return {digest(hashing_secret, key.key): key.caller for key in keys}


def parse_api_keys(secret: str) -> tuple[BootstrapKey, ...]:
    """Read a JSON object of caller name to API key, or to an object that holds the key and what it allows.

    Raises ValueError naming every caller whose entry is wrong, never a key.
    """
    try:
        pairs = json.loads(secret, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        pairs = None
    if not isinstance(pairs, _Pairs):
        raise ValueError('is not a JSON object of caller name to API key, such as {"ci": "<key>"}')
    if not pairs:
        raise ValueError("holds no API key; name at least one caller")
    owners: dict[str, str] = {}
    keys: dict[str, BootstrapKey] = {}
    problems = []
    for position, (name, entry) in enumerate(pairs, start=1):
        try:
            key = _read_entry(name, position, entry)
        except ValueError as error:
            problems.append(str(error))
            continue
        if name in keys:
            problems.append(f"caller {name!r} is named twice; give each caller a name of its own")
        elif (owner := owners.setdefault(key.key, name)) != name:
            problems.append(f"callers {owner!r} and {name!r} have the same key; give each its own")
        keys[name] = key
    if problems:
        raise ValueError("; ".join(problems))
    return tuple(keys.values())


class _Pairs(list[tuple[str, Any]]):
    """A JSON object's members, also those that stand there twice."""


def _read_entry(name: str, position: int, entry: object) -> BootstrapKey:
    if not _CALLER.fullmatch(name):
        raise ValueError(f"entry {position} {_NAME_RULE}")
    given = _members(name, entry if isinstance(entry, _Pairs) else _Pairs([("key", entry)]))
    key, priority, admin = given.get("key"), given.get("priority", "normal"), given.get("admin", True)
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ValueError(f"caller {name!r} {_KEY_RULE}")
    if priority not in PRIORITIES:
        raise ValueError(f"caller {name!r} has a priority that is not one of {', '.join(get_args(Priority))}")
    if not isinstance(admin, bool):
        raise ValueError(f"caller {name!r} has an admin that is neither true nor false")
    caller = Caller(
        f"bootstrap:{name}",
        name,
        "bootstrap",
        # Not the role of the directory: these keys are the way back in when that one is wrong.
        roles=(Role(ADMIN_ROLE),) if admin else (),
        limits=_limits(name, given.get("limits")),
        priority=priority,
    )
    return BootstrapKey(key, caller)


def _members(name: str, members: _Pairs) -> Mapping[str, Any]:
    given = dict(members)
    if len(given) != len(members) or not set(given) <= _MEMBERS:
        raise ValueError(f"caller {name!r} {_ENTRY_RULE}")
    return given


def _limits(name: str, members: object) -> Limits:
    if members is None:
        return UNLIMITED
    if not isinstance(members, _Pairs) or len(dict(members)) != len(members):
        raise ValueError(f"caller {name!r} has limits that are no object with each limit once")
    try:
        return Limits.model_validate(dict(members))
    except ValidationError as error:
        problems = [
            f"{where if where in Limits.model_fields else 'unknown limit'}: {detail['msg']}"
            for detail in error.errors(include_input=False)
            for where in detail["loc"][:1]
        ]
        raise ValueError(f"caller {name!r} has limits that cannot be read: {', '.join(problems)}") from None
