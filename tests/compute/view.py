"""A running gateway, whatever runs it: what the tests of both platforms look at."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import asdict, dataclass
from typing import Any

Permission = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Check:
    """How the platform asks a container whether it is well: a command or a path."""

    asks: str
    interval_seconds: int
    timeout_seconds: int
    failures: int


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container and what it may.

    command: in place of the image's. environment: plain variables. secrets: variable → the secret's ARN, with
    `#field` for one field of it. temporary_mib: the folders that it may write to, each in memory. health: the
    check that ends in its replacement.
    """

    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    cpu_millicores: int
    memory_mib: int
    user: int
    read_only_root: bool
    capabilities_dropped: tuple[str, ...]
    privileged: bool
    temporary_mib: Mapping[str, int]
    ports: tuple[int, ...]
    health: Check | None


@dataclass(frozen=True, kw_only=True)
class View:
    """One environment's gateway as a platform runs it.

    start_seconds: how long the gateway may take to start before it counts as failed. leave_seconds: from when
    it is to get no more requests until it is killed. stop_seconds: from when it is told to stop. target_port:
    where the load balancer sends requests. more_percent, fewer_percent: copies beside the wanted number while
    they are replaced. taken_back_by: alarms. gateway_may, migrations_may: the permissions of their roles, and
    of whoever starts them.
    """

    architecture: str
    gateway: Container
    collector: Container | None
    migrations: Container
    start_seconds: int
    leave_seconds: int
    stop_seconds: int
    target_port: int
    minimum: int
    maximum: int
    cpu_target_percent: int
    zones: int
    more_percent: int
    fewer_percent: int
    taken_back_by: frozenset[str]
    alarms: Mapping[str, Mapping[str, Any]]
    target_group: Mapping[str, Any]
    role_name: str
    trusted: str
    gateway_may: frozenset[Permission]
    migrations_may: frozenset[Permission]
    catalog_comes_first: bool
    migrations_come_first: bool
    log_days: frozenset[int]


def different(one: View, other: View) -> set[str]:
    """Where two views differ, as paths: `gateway.environment.AWS_REGION`; of sets each element is one."""
    flat_one, flat_other = dict(_flat(asdict(one))), dict(_flat(asdict(other)))
    return {
        path for path in flat_one | flat_other if flat_one.get(path, "none") != flat_other.get(path, "none")
    }


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Set):
        for each in value:
            yield f"{path}: {' '.join(each) if isinstance(each, tuple) else each}", True
    else:
        yield path, value
