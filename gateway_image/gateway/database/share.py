"""A share of the connections, for those who might keep all of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import asyncpg

from gateway.database.errors import DatabaseUnavailableError

_TURN_SECONDS = 5


class Connections(Protocol):
    """The database, or a share of it."""

    def connection(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A connection to the database; raises DatabaseError."""


class Share:
    """At most so many connections at once; whoever comes then waits for a turn."""

    def __init__(self, database: Connections, connections: int) -> None:
        self._database = database
        self._turns = asyncio.Semaphore(connections)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Take a connection to oneself; raises DatabaseError."""
        try:
            async with asyncio.timeout(_TURN_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise DatabaseUnavailableError("every connection of this share is in use") from None
        try:
            async with self._database.connection() as connection:
                yield connection
        finally:
            self._turns.release()
