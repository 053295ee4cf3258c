"""A few connections that the process's parts take turns with.

asyncpg's own pool sends a statement when a connection is given back and says goodbye when it closes one: both
wait for a server that hangs. Here whatever may be broken is dropped at once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

from gateway.aws.credentials import CredentialsError
from gateway.database.errors import (
    DatabaseError,
    DatabaseUnavailableError,
    ReadOnlyError,
    StatementRefusedError,
)
from gateway.database.replica import CANCELLED, READ_ONLY, is_replica

# Of one process. All processes together must stay far below what the database allows: 20 tasks of 4 workers
# have 320, and RDS allows about 420 with 4 GiB of memory. The ledger, the directory and the check of
# reachability need one each, for moments; the admin API has a share of two (gateway.admin.routes).
MOST_CONNECTIONS = 4
_TURN_SECONDS = 2
# Data exceptions, broken constraints, syntax and missing rights, and what is beyond a limit of PostgreSQL.
_REFUSED = frozenset({"22", "23", "42", "54"})
# TimeoutError is an OSError.
_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class Pool:
    """Connections made by `connect` when they are needed, kept while nothing goes wrong with them."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._connect = connect
        self._turns = asyncio.Semaphore(MOST_CONNECTIONS)
        self._idle: list[asyncpg.Connection] = []
        self._used: set[asyncpg.Connection] = set()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection to oneself; whatever the database or the way to it raises becomes a DatabaseError."""
        try:
            async with asyncio.timeout(_TURN_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise DatabaseUnavailableError("every connection is in use") from None
        try:
            async with self._one() as connection:
                yield connection
        finally:
            self._turns.release()

    def close(self) -> None:
        """Drop all connections, those in use too."""
        for connection in (*self._idle, *self._used):
            connection.terminate()
        self._idle.clear()

    @asynccontextmanager
    async def _one(self) -> AsyncIterator[asyncpg.Connection]:
        connection = self._from_idle() or await self._open()
        self._used.add(connection)
        try:
            yield connection
        except ReadOnlyError:
            self._give_back(connection)
            raise
        except DatabaseUnavailableError:
            self._drop_with_others(connection)
            raise
        except _ERRORS as error:
            described = _describe(error, connection)
            if _leaves_connection(described):
                self._give_back(connection)
            else:
                self._drop_with_others(connection)
            raise described from error
        except Exception:
            self._give_back(connection)
            raise
        except BaseException:
            # Cancelled: in the middle of a statement, perhaps.
            self._drop(connection)
            raise
        else:
            self._give_back(connection)

    async def _open(self) -> asyncpg.Connection:
        try:
            return await self._connect()
        # ValueError: a host name that cannot be one.
        except (*_ERRORS, CredentialsError, ValueError) as error:
            self._drop_idle()
            raise DatabaseUnavailableError(_reason(error), sqlstate=_sqlstate(error)) from error

    def _from_idle(self) -> asyncpg.Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    def _give_back(self, connection: asyncpg.Connection) -> None:
        if connection.is_closed() or connection.is_in_transaction():
            self._drop(connection)
            return
        self._used.discard(connection)
        self._idle.append(connection)

    def _drop(self, connection: asyncpg.Connection) -> None:
        self._used.discard(connection)
        connection.terminate()

    def _drop_with_others(self, connection: asyncpg.Connection) -> None:
        """What befell one connection has likely befallen those that nobody uses at the moment."""
        self._drop(connection)
        self._drop_idle()

    def _drop_idle(self) -> None:
        for each in self._idle:
            each.terminate()
        self._idle.clear()


def _describe(error: BaseException, connection: asyncpg.Connection) -> DatabaseError:
    sqlstate = _sqlstate(error)
    if sqlstate == READ_ONLY and is_replica(connection):
        return ReadOnlyError(_reason(error), sqlstate=sqlstate)
    if sqlstate is not None and sqlstate[:2] in _REFUSED:
        return StatementRefusedError(_reason(error), sqlstate=sqlstate)
    return DatabaseUnavailableError(_reason(error), sqlstate=sqlstate)


def _leaves_connection(error: DatabaseError) -> bool:
    return isinstance(error, (StatementRefusedError, ReadOnlyError)) or error.sqlstate in CANCELLED


def _sqlstate(error: BaseException) -> str | None:
    return error.sqlstate if isinstance(error, asyncpg.PostgresError) else None


def _reason(error: BaseException) -> str:
    """The kind of error: its text may quote a value."""
    sqlstate = _sqlstate(error)
    return type(error).__name__ + (f" ({sqlstate})" if sqlstate else "")
