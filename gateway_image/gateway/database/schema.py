"""Whether the database's schema is new enough for this code."""

import asyncpg

from gateway.database.errors import DatabaseUnavailableError

# The step of gateway.migrations that this code needs. Revisions are numbers of four digits, in order; later
# ones only add to the schema, so that code of this release works with them.
NEEDED_REVISION = "0002"


async def check_schema(connection: asyncpg.Connection) -> None:
    """Raise DatabaseUnavailableError unless the schema is at least as new as this code needs."""
    known = await connection.fetchval("SELECT to_regclass('public.alembic_version') IS NOT NULL")
    revision = await connection.fetchval("SELECT version_num FROM alembic_version") if known else None
    if revision is None or revision < NEEDED_REVISION:
        raise DatabaseUnavailableError(
            f"the schema's revision is {revision or 'none'}, this gateway needs {NEEDED_REVISION}; "
            "run python -m gateway.migrations"
        )
