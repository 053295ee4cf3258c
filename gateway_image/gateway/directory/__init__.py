"""The directory: projects, roles and API keys, all in memory, and never more than seconds old.

No request waits for the database: it is asked about once a second whether anything has changed.
"""

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import asyncpg

from gateway.callers import Caller, Project, Role
from gateway.database.errors import DatabaseError
from gateway.database.replica import read
from gateway.database.share import Connections
from gateway.directory import following
from gateway.directory.records import RecordError
from gateway.directory.snapshot import Snapshot
from gateway.structured_log import StructuredLog

__all__ = ["Directory", "RecordError"]

POLL_SECONDS = 1.0
# Between two looks, when someone waits for the second.
_SHORTEST_PAUSE_SECONDS = 0.1
# What was read is good for some looks, even if nothing is to hold while the database is away.
_LEAST_KNOWN_SECONDS = 10
_CATCH_UP_SECONDS = 2
# All is read again now and then, and after the database was away: another one may have taken its place that
# has not got the latest changes.
_RELOAD_SECONDS = 60 * 60
_RELOAD_AFTER_FAILURE_SECONDS = 60
_PROBLEMS_LOGGED = 100


class Directory:
    """The latest known projects, roles and API keys, followed by `keep_current`.

    revision: another one after every change of what is known. Look-ups raise RecordError for what is stored
    in a form that this version cannot read.
    """

    def __init__(
        self,
        database: Connections,
        log: StructuredLog,
        *,
        known_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """known_seconds: how long what was read holds while the database is away."""
        self._database = database
        self._log = log
        self._known_seconds = max(known_seconds, _LEAST_KNOWN_SECONDS)
        self._clock = clock
        self._snapshot = Snapshot()
        self._confirmed_at = -math.inf
        self._reload_at = -math.inf
        self._failing = False
        self.revision = 0
        self._wake = asyncio.Event()
        self._waiting: asyncio.Future[None] | None = None

    @property
    def is_known(self) -> bool:
        """Whether it has been read, and lately enough: without that, nobody is known and nobody unknown."""
        return self._clock() <= self._confirmed_at + self._known_seconds

    @property
    def version(self) -> int:
        """The number of the latest change that is known."""
        return self._snapshot.version

    @property
    def keys(self) -> int:
        """How many API keys are known."""
        return len(self._snapshot)

    @property
    def age_seconds(self) -> float:
        """How long ago the database was last heard of; infinite if never."""
        return self._clock() - self._confirmed_at

    def key(self, digest: bytes) -> Caller | None:
        """The caller of a key by its digest; None for one that is unknown, revoked or expired."""
        return self._snapshot.key(digest)

    def project(self, id_or_name: str) -> Project | None:
        """A project by its ID or its name; None if there is none."""
        return self._snapshot.project(id_or_name)

    def project_of_client(self, issuer: str, client_id: str) -> Project | None:
        """The project in whose name a machine calls; None if there is none."""
        return self._snapshot.project_of_client(issuer, client_id)

    def roles(self, names: Iterable[str]) -> tuple[Role, ...]:
        """The roles of these names that are known; if none is, the role 'default' if that is known."""
        return self._snapshot.roles(names)

    async def catch_up(self) -> None:
        """Return once all that was changed before the call is known, or after two seconds at the latest.

        While the database is away, return at once.
        """
        if self._failing:
            return
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_future()
        self._wake.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CATCH_UP_SECONDS):
                await asyncio.shield(self._waiting)

    async def keep_current(self) -> None:
        """Read all, then look for changes about once a second, for ever. What fails is logged."""
        while True:
            waiting, self._waiting = self._waiting, None
            self._wake.clear()
            try:
                await self._look()
            finally:
                if waiting is not None and not waiting.done():
                    waiting.set_result(None)
            await asyncio.sleep(_SHORTEST_PAUSE_SECONDS)
            with suppress(TimeoutError):
                # The jitter keeps processes that started together from asking together.
                async with asyncio.timeout(POLL_SECONDS * random.uniform(0.7, 1)):  # noqa: S311 (no secret)
                    await self._wake.wait()

    async def _look(self) -> None:
        began = self._clock()
        try:
            await read(self._database, self._follow)
        except DatabaseError as error:
            if not self._failing:
                self._log.write("warning", "directory", state="not_current", reason=str(error))
            self._failing = True
            return
        if self._failing:
            spread = random.uniform(0, 1)  # noqa: S311 (no secret)
            self._reload_at = min(self._reload_at, began + _RELOAD_AFTER_FAILURE_SECONDS * spread)
        if self._failing or self._confirmed_at == -math.inf:
            self._log.write("info", "directory", state="current", version=self.version, keys=self.keys)
        self._failing = False
        self._confirmed_at = began

    async def _follow(self, connection: asyncpg.Connection) -> None:
        newest = await following.newest_version(connection)
        if newest < self.version or self._clock() >= self._reload_at:
            self._snapshot, problems = await following.load(connection)
            spread = random.uniform(0.8, 1)  # noqa: S311 (no secret)
            self._reload_at = self._clock() + _RELOAD_SECONDS * spread
        elif newest > self.version:
            problems = await following.catch_up(connection, self._snapshot)
        else:
            return
        self.revision += 1
        for problem in problems[:_PROBLEMS_LOGGED]:
            self._log.write("error", "directory_record_unreadable", problem=problem)
