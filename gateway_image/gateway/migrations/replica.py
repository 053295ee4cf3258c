"""A replica's schema: its primary migrates it, and a release that is deployed beside it waits for that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from gateway.aws.credentials import CredentialsError
from gateway.database.schema import NEEDED_REVISION, schema_revision, suffices
from gateway.migrations.errors import MigrationError
from gateway.migrations.upgrade import Connect
from gateway.structured_log import StructuredLog

# Together with the wait for the database less than the 14 minutes that a task may take.
WAIT_SECONDS = 480
_PAUSE_SECONDS = 10
_IN_RECOVERY = "SELECT pg_is_in_recovery()"
_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, CredentialsError, OSError)


async def is_replica(connect: Connect) -> bool:
    """Whether a database that answers is a replica."""
    async with _connection(connect) as connection:
        found: bool = await connection.fetchval(_IN_RECOVERY)
        return found


async def wait_for_primary(connect: Connect, log: StructuredLog) -> bool:
    """Wait until a replica has this release's schema, or a newer one; nothing is written.

    False if it is promoted meanwhile: then it is for this release to migrate. Raises MigrationError if the
    schema stays older.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT_SECONDS
    while True:
        try:
            async with _connection(connect) as connection:
                if not await connection.fetchval(_IN_RECOVERY):
                    return False
                revision = await schema_revision(connection)
        except _ERRORS as error:
            state = f"cannot be read ({type(error).__name__})"
        else:
            if suffices(revision):
                log.write("info", "schema_is_the_primarys", revision=revision)
                return True
            state = f"is of revision {revision or 'none'}"
        left = deadline - loop.time()
        if left <= 0:
            raise MigrationError(
                f"the database is a replica whose schema {state}, and this release needs {NEEDED_REVISION}: "
                "deploy it in the primary's region first"
            )
        log.write(
            "info", "waiting_for_primary", schema=state, needed=NEEDED_REVISION, seconds_left=round(left)
        )
        await asyncio.sleep(min(_PAUSE_SECONDS, left))


@asynccontextmanager
async def _connection(connect: Connect) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect()
    try:
        yield connection
    finally:
        connection.terminate()
