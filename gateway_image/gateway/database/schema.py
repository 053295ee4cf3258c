"""Whether the database's schema is new enough for this code."""

import asyncpg

from gateway.database.errors import DatabaseUnavailableError

# The step of gateway.migrations that this code needs. Revisions are numbers of four digits, in order; later
# ones only add to the schema, so that code of this release works with them.
NEEDED_REVISION = "0002"


async def schema_revision(connection: asyncpg.Connection) -> str | None:
    """The revision of the database's schema, None if it has none yet."""
    known = await connection.fetchval("SELECT to_regclass('public.alembic_version') IS NOT NULL")
    if not known:
        return None
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return revision


def suffices(revision: str | None) -> bool:
    """Whether a schema is at least as new as this code needs."""
    return revision is not None and revision >= NEEDED_REVISION


async def check_schema(connection: asyncpg.Connection) -> None:
    """Raise DatabaseUnavailableError unless the schema is at least as new as this code needs."""
    revision = await schema_revision(connection)
    if not suffices(revision):
        raise DatabaseUnavailableError(
            f"the schema's revision is {revision or 'none'}, this gateway needs {NEEDED_REVISION}; "
            "run python -m gateway.migrations"
        )
