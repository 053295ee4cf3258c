"""How the image of a gateway is run: what differs from one gateway to the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from gatehouse.container_settings import ContainerSettings

TEMPORARY_FILES: Mapping[str, int] = {"/tmp": 64}  # noqa: S108 (the container's own)


@dataclass(frozen=True, kw_only=True)
class Backends:
    """What the platform offers an image, whose task signs in to all of it as its role, without passwords.

    `cache_user` is both the ID and the name of the cache's user, `cache_name` the replication group's ID.
    Tokens of users are signed by `issuer`.
    """

    region: str
    domain_name: str
    database_host: str
    database_port: str
    database_name: str
    database_user: str
    cache_host: str
    cache_port: str
    cache_user: str
    cache_name: str
    bucket_name: str
    bucket_arn: str
    issuer: str


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container of an image, as the image has to be run.

    entry_point, command: in place of the image's own. user: a number, for an image's name of a user may be
    root's. temporary_mib: the folders that it may write to, each a file system in memory of so many MiB.
    """

    settings: ContainerSettings
    user: str
    entry_point: Sequence[str] | None = None
    command: Sequence[str] | None = None
    temporary_mib: Mapping[str, int] = field(default_factory=lambda: TEMPORARY_FILES)


@dataclass(frozen=True, kw_only=True)
class Migrations:
    """What brings the database's schema up to date, once before each rollout."""

    container: Container
    cpu_units: int = 256
    memory_mib: int = 512


@dataclass(frozen=True, kw_only=True)
class ImageProfile:
    """A gateway's image and its surroundings.

    port: where it serves HTTP. ready_path: what the load balancer asks before it sends requests.
    live_path: what tells that it is alive, whatever other services do; nothing, where there is no such path.
    health_command: what ECS runs in the container; nothing, where the image has no such program.
    start_period: how long failing checks mean nothing after a start. metrics_ports: where each process of the
    bundled gateway answers Prometheus. permissions: of the task's role, beside those to call models.
    open_resources: those of their resources that hold an asterisk, each with the reason. database_user: whom
    the task signs in to the database as, if it uses one. secrets_variable: names the folder where it reads
    secrets as files; other images read variables alone. drain_variable: for how many seconds it goes on with
    running requests once it is told to stop; other images are told when none should be running any more.
    """

    container: Container
    port: int
    ready_path: str
    health_command: Sequence[str] | None
    start_period: cdk.Duration
    live_path: str | None = None
    secrets_variable: str | None = None
    drain_variable: str | None = None
    metrics_ports: Sequence[int] = ()
    permissions: Sequence[iam.PolicyStatement] = ()
    open_resources: Mapping[str, str] = field(default_factory=dict)
    database_user: str | None = None
    migrations: Migrations | None = None
