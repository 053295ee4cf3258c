"""A database that is a replica: what it refuses and cancels, and how to go on."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from gateway.database.errors import DatabaseError, ReadOnlyError
from gateway.database.share import Connections

READ_ONLY = "25006"
# A read was in the way of a change that the replica has to make, too: the same read may succeed at once.
CANCELLED = frozenset({"40001", "40P01"})
_ATTEMPTS = 3

ResultT = TypeVar("ResultT")


def is_replica(connection: asyncpg.Connection) -> bool:
    """Whether the connection's server was a replica when it last answered: it says so by itself."""
    return not connection.is_closed() and getattr(connection.get_settings(), "in_hot_standby", "off") == "on"


async def check_writable(connection: asyncpg.Connection) -> None:
    """Raise ReadOnlyError if the server is a replica; costs nothing at a primary."""
    if is_replica(connection):
        # With its answer it says whether it was promoted meanwhile.
        await connection.execute("SELECT 1")
        if is_replica(connection):
            raise ReadOnlyError("the database is a replica", sqlstate=READ_ONLY)


async def read(database: Connections, work: Callable[[asyncpg.Connection], Awaitable[ResultT]]) -> ResultT:
    """Return what `work`, which only reads, returns; it begins anew when a replica cancels it.

    Raises DatabaseError.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            async with database.connection() as connection:
                return await work(connection)
        except DatabaseError as error:
            if error.sqlstate not in CANCELLED:
                raise
    async with database.connection() as connection:
        return await work(connection)
