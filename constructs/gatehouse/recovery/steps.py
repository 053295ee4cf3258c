"""The steps of a recovery: what each does, and how long it should take."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a workflow.

    expected_seconds: how long it takes while AWS works as `source` says; nothing of it is measured.
    limit_minutes: after which it has failed, and somebody decides. forced_skips: whether a forced failover,
    whose old region may be lost, goes on without it.
    """

    name: str
    does: str
    expected_seconds: int
    source: str
    limit_minutes: int
    forced_skips: bool = False


@dataclass(frozen=True, kw_only=True)
class Together:
    """Steps that run at the same time; the next one waits for them all."""

    name: str
    steps: tuple[Step, ...]


APPROVE = Step(
    name="approve",
    does="wait until somebody with the approval role says so",
    expected_seconds=0,
    source="a decision, not a duration: the objective counts from it",
    limit_minutes=60,
)
MOVE_TRAFFIC = Step(
    name="move-traffic",
    does="set the health checks of the public name, so that it resolves to the region that takes over",
    expected_seconds=60,
    source="Route 53: the TTL of an alias to a load balancer, which resolvers may keep",
    limit_minutes=5,
)
FENCE = Step(
    name="fence-old-region",
    does="end the gateways of the old region once their streams have ended, and keep them from coming back",
    expected_seconds=300,
    source="the streams that run: 16 minutes at the most until the load balancer lets go of a gateway, and "
    "2 until it stops",
    limit_minutes=30,
    forced_skips=True,
)
OPEN = Step(
    name="open-region",
    does="let the gateways of the region that takes over run and scale, from a full region's size on",
    expected_seconds=10,
    source="two calls of Application Auto Scaling or of Kubernetes",
    limit_minutes=5,
)
SCALE = Step(
    name="scale-gateways",
    does="run as many gateways as ran in the old region",
    expected_seconds=180,
    source="Fargate: under a minute until an image of this size runs; ready after two checks. "
    "EKS Auto Mode: one to two minutes for a node before it",
    limit_minutes=20,
)
AWAIT_REPLICA = Step(
    name="await-replica",
    does="wait until the replica of the database has all that the old one was told",
    expected_seconds=120,
    source="RDS: measured once a minute; up to 6 minutes if nobody has written for long",
    limit_minutes=15,
    forced_skips=True,
)
ROUTE_OBJECTS = Step(
    name="route-objects",
    does="send what is asked of the multi-region access point to the bucket of the region that takes over",
    expected_seconds=120,
    source="S3: routes are in force within two minutes",
    limit_minutes=10,
)
PREPARE = Together(name="prepare", steps=(SCALE, AWAIT_REPLICA, ROUTE_OBJECTS))
PROMOTE = Step(
    name="promote-database",
    does="make the replica a database of its own, which takes writes",
    expected_seconds=300,
    source="RDS: several minutes, of which the database restarts in under one",
    limit_minutes=30,
)
VERIFY = Step(
    name="verify",
    does="see that the database takes writes, and that a full region's gateways answer and can write",
    expected_seconds=30,
    source="two looks, once what comes before is done: gateways write as soon as the database has restarted, "
    "minutes before RDS is done with it",
    limit_minutes=15,
)
REPLICATE = Step(
    name="recreate-replica",
    does="make a replica of the database in the other region again, in place of the one that it had",
    expected_seconds=3600,
    source="RDS: the time to copy a snapshot to another region, which grows with the database",
    limit_minutes=1440,
)
SETTLE = Step(
    name="settle-replica",
    does="give that replica its backups, its second zone, its protection and the sign-in by IAM",
    expected_seconds=900,
    source="RDS: minutes for a second zone, which are more for a large database",
    limit_minutes=180,
)
STAND_BY = Step(
    name="stand-by",
    does="run the gateways of the other region again, at the size of a standby",
    expected_seconds=180,
    source="as for scale-gateways",
    limit_minutes=5,
)

Part = Step | Together

# It opens before the other one is fenced: the callers are there by then, and streams may end slowly.
ACTIVATE: tuple[Part, ...] = (APPROVE, MOVE_TRAFFIC, OPEN, FENCE, PREPARE, PROMOTE, VERIFY)
# After a recovery, once the other region is back: it becomes the standby.
PROTECT: tuple[Part, ...] = (FENCE, REPLICATE, SETTLE, STAND_BY)
# Those that Region switch has no block for.
BY_FUNCTION: tuple[Step, ...] = (FENCE, OPEN, AWAIT_REPLICA, ROUTE_OBJECTS, VERIFY, SETTLE, STAND_BY)


def each_step(parts: Sequence[Part] = ACTIVATE) -> Iterator[Step]:
    """Every step of a workflow, in order."""
    for part in parts:
        yield from part.steps if isinstance(part, Together) else (part,)


def expected_recovery_seconds(*, forced: bool = False) -> int:
    """How long a failover takes until all is served: the sum along the critical path."""
    return sum(_seconds(part, forced) for part in ACTIVATE)


def expected_reads_seconds() -> int:
    """How long until callers are answered again: known keys work before the database is promoted."""
    return MOVE_TRAFFIC.expected_seconds


def _seconds(part: Part, forced: bool) -> int:
    if isinstance(part, Together):
        return max(_seconds(step, forced) for step in part.steps)
    return 0 if forced and part.forced_skips else part.expected_seconds
