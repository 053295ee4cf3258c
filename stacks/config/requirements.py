"""What staging and prod must have, so that dev's sizes cannot reach production by copying its file."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from gateway.validation import Breach
from stacks.config.image import is_in_private_registry


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
_ENDPOINTS = _Requirement(
    "network",
    "endpoints",
    lambda endpoints: endpoints != "s3",
    "all, so that requests to AWS stay in the VPC and its endpoints' policies hold; none where it has them",
    "write all",
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
_AUDIT_LOCK = _Requirement(
    "audit",
    "object_lock",
    lambda lock: lock != "none",
    "governance or compliance, so that nobody can rewrite what was recorded",
    "write governance",
)
_THREAT_PROTECTION = _Requirement(
    "identity",
    "plan",
    lambda plan: plan == "plus",
    "plus, which protects against stolen and guessed credentials",
    "write plus",
)
_SECOND_FACTOR = _Requirement(
    "identity",
    "mfa",
    lambda mfa: mfa == "required",
    "required, so that a password alone opens nothing",
    "write required",
)
_NO_SPOT = _Requirement(
    "service",
    "spot_percent",
    lambda percent: percent == 0,
    "0: AWS takes spot capacity back when it is scarce, from all tasks at a time",
    "write 0",
)
_PRIVATE_IMAGE = _Requirement(
    "image",
    "uri",
    lambda uri: uri is None or is_in_private_registry(uri),
    "an image in Amazon ECR: new tasks must not wait for a registry that limits or fails others' pulls",
    "copy it into ECR and name the copy",
)
_COPIES = _Requirement(
    "backup",
    "enabled",
    bool,
    "true, for copies of the database that nobody can delete early",
    "write true",
)
_COPIES_LOCK = _Requirement(
    "backup",
    "lock",
    lambda lock: lock != "none",
    "governance or compliance, so that another policy of the vault is not enough to delete its copies",
    "write governance",
)
_STAGING = (_ZONES, _NAT, _ENDPOINTS, _TASKS, _CACHE, _DATABASE)
_REQUIREMENTS = {
    "dev": (),
    "staging": _STAGING,
    "prod": (
        *_STAGING,
        _NO_SPOT,
        _PRIVATE_IMAGE,
        _DATABASE_PROTECTION,
        _COPIES,
        _COPIES_LOCK,
        _STACK_PROTECTION,
        _AUDIT_LOCK,
        _THREAT_PROTECTION,
        _SECOND_FACTOR,
    ),
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
