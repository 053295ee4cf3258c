"""What staging and prod must have, so that dev's sizes cannot reach production by copying its file."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from gateway.validation import Breach


class _Requirement(NamedTuple):
    section: str
    field: str | None  # None where the section itself is the value
    is_met: Callable[[Any], bool]
    allowed: str
    fix: str


_ZONES = _Requirement(
    "network",
    "availability_zones",
    lambda zones: len(zones) >= 3,
    "3 zones, so that losing one leaves two",
    "name a third zone of the region",
)
_NAT = _Requirement(
    "network",
    "nat",
    lambda nat: nat == "one-per-zone",
    "one-per-zone, so that no zone depends on another",
    "write one-per-zone",
)
_TASKS = _Requirement(
    "service",
    "minimum_tasks",
    lambda tasks: tasks >= 2,
    "at least 2, so that tasks run in different zones",
    "write 2 or more",
)
_CACHE = _Requirement(
    "cache",
    "replicas",
    lambda replicas: replicas >= 1,
    "at least 1, which makes the cache Multi-AZ with automatic failover",
    "write 1 or more",
)
_DATABASE = _Requirement(
    "database",
    "multi_az",
    bool,
    "true, for a standby in another zone",
    "write true",
)
_DATABASE_PROTECTION = _Requirement(
    "database",
    "deletion_protection",
    bool,
    "true, so that the database is not deleted by mistake",
    "write true",
)
_STACK_PROTECTION = _Requirement(
    "termination_protection",
    None,
    bool,
    "true, so that no stack is deleted by mistake",
    "write true",
)
_STAGING = (_ZONES, _NAT, _TASKS, _CACHE, _DATABASE)
_REQUIREMENTS = {
    "dev": (),
    "staging": _STAGING,
    "prod": (*_STAGING, _DATABASE_PROTECTION, _STACK_PROTECTION),
}


def unmet(environment: str, section: str, value: Any) -> Iterator[Breach]:
    """Yield what a section's value lacks in an environment; the first word of its name decides."""
    kind = environment.partition("-")[0]
    for requirement in _REQUIREMENTS[kind]:
        if requirement.section != section:
            continue
        path = (requirement.field,) if requirement.field else ()
        given = getattr(value, requirement.field) if requirement.field else value
        if not requirement.is_met(given):
            yield Breach(path, given, f"in {kind} {requirement.allowed}", requirement.fix)
