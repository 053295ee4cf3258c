"""Takes a database's schema to the newest revision."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

Connect = Callable[[], Awaitable[asyncpg.Connection]]
# Told of each step as it is run: its revision, what it does, its number of how many.
OnStep = Callable[[str, str, int, int], None]
# What else is to be done in the same transaction, with asyncpg's connection.
Then = Callable[[asyncpg.Connection], Awaitable[None]]

# So that two at the same time run one after the other.
_LOCK = 0x6A7E_0001
_LOCK_SECONDS = 3


class Outcome(NamedTuple):
    """before, after: the revision the schema had and has, None for none.

    newer: whether it was newer than the steps here; then nothing was done.
    """

    before: str | None
    after: str | None
    newer: bool


def configuration() -> Config:
    """Alembic's, without a file."""
    config = Config()
    # Its values are formats: a % in a folder's name would be one.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _ignore_step(_revision: str, _description: str, _number: int, _total: int) -> None:
    pass


async def upgrade(
    connect: Connect, revision: str = "head", *, on_step: OnStep = _ignore_step, then: Then | None = None
) -> Outcome:
    """Run the steps that are missing up to a revision, and then `then`: all of it or nothing.

    A schema that is newer than the steps here is left alone. Raises what asyncpg and SQLAlchemy raise.
    """
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            # Whoever waits for a table's lock makes all requests that come after it wait too.
            await connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
            outcome = await connection.run_sync(_upgrade, revision, on_step)
            if then is not None and not outcome.newer:
                driver = (await connection.get_raw_connection()).driver_connection
                assert driver is not None  # noqa: S101 (the transaction runs on it)
                await then(driver)
    finally:
        await engine.dispose()
    return outcome


def databases_own(error: BaseException) -> BaseException:
    """The error of asyncpg that an error of `upgrade` wraps, or itself."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, asyncpg.PostgresError):
        cause = cause.__cause__
    return cause or error


def _upgrade(connection: Connection, revision: str, on_step: OnStep) -> Outcome:
    config = configuration()
    scripts = ScriptDirectory.from_config(config)
    known = [script.revision for script in scripts.walk_revisions()]
    before = MigrationContext.configure(connection).get_current_revision()
    if before is not None and before not in known:
        return Outcome(before, before, newer=True)
    missing = known if before is None else known[: known.index(before)]
    done: list[str] = []

    def tell(*, step: Any, **_: Any) -> None:
        done.append(step.up_revision_id)
        on_step(step.up_revision_id, step.up_revision.doc, len(done), len(missing))

    config.attributes["connection"] = connection
    config.attributes["on_version_apply"] = tell
    command.upgrade(config, revision)
    return Outcome(before, done[-1] if done else before, newer=False)
