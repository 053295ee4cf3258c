"""The migration, from a database that may not be up yet to a schema that processes can be served from."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from gateway.aws.credentials import CredentialsError, CredentialSource
from gateway.migrations import replica
from gateway.migrations.connecting import connector
from gateway.migrations.errors import MigrationError
from gateway.migrations.serving_user import prepare_serving_user
from gateway.migrations.settings import MigrationSettings
from gateway.migrations.upgrade import databases_own, upgrade
from gateway.structured_log import StructuredLog

# A database that is created or fails over beside the deployment is there within minutes.
WAIT_SECONDS = 300
_PAUSE_SECONDS = 2
# While requests are served, a table may be in use for longer than a step waits for it.
_ATTEMPTS = 20
_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, CredentialsError, OSError)
# What will not be mended by waiting: a wrong user, password or database. A role's new permission to sign in
# takes some seconds to be known everywhere.
_WRONG_SETTINGS = {
    "password": (
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidPasswordError,
        asyncpg.InvalidCatalogNameError,
    ),
    "iam": (asyncpg.InvalidCatalogNameError,),
}


async def migrate(
    settings: MigrationSettings,
    log: StructuredLog,
    credentials: CredentialSource | None = None,
    *,
    wait_seconds: float = WAIT_SECONDS,
) -> None:
    """Wait for the database, run the missing steps and prepare the serving user, all or nothing.

    Safe to run again and by several at once. A schema from a newer release is left as it is: releases before
    it go on working. A replica is not written to: its primary's schema and users come to it by themselves,
    which is waited for. credentials: needed to sign in as an IAM role. Raises MigrationError.
    """
    connect = connector(settings, credentials)
    hopeless = _WRONG_SETTINGS[settings.authentication]
    is_replica = await _wait_for_database(connect, log, wait_seconds, hopeless)
    if is_replica and await replica.wait_for_primary(connect, log):
        return

    def tell(revision: str, description: str, number: int, total: int) -> None:
        log.write(
            "info", "migration_step", revision=revision, description=description, step=number, steps=total
        )

    async def prepare(connection: asyncpg.Connection) -> None:
        if settings.serving_username == settings.username:
            log.write("info", "serving_user", username=settings.username, outcome="is the owner")
            return
        by_iam = settings.serving_authentication == "iam"
        password = None if by_iam or settings.serving_password is None else settings.serving_password
        outcome = await prepare_serving_user(
            connection,
            settings.serving_username,
            password.get_secret_value() if password is not None else None,
        )
        log.write("info", "serving_user", username=settings.serving_username, outcome=outcome)

    log.write("info", "migration_started", host=settings.host, database=settings.name)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            outcome = await upgrade(connect, on_step=tell, then=prepare)
            break
        except (*_ERRORS, SQLAlchemyError) as error:
            own = databases_own(error)
            if attempt == _ATTEMPTS or not isinstance(own, asyncpg.LockNotAvailableError):
                raise MigrationError(f"nothing was changed: {_reason(own)}") from error
            log.write("info", "waiting_for_tables", reason=_reason(own), attempt=attempt)
            await asyncio.sleep(_PAUSE_SECONDS)
    if outcome.newer:
        log.write("info", "schema_is_newer", revision=outcome.before)
    else:
        log.write("info", "migration_finished", before=outcome.before or "none", after=outcome.after)


async def _wait_for_database(
    connect: Callable[[], Awaitable[asyncpg.Connection]],
    log: StructuredLog,
    seconds: float,
    hopeless: tuple[type[asyncpg.PostgresError], ...],
) -> bool:
    """Return, once it answers, whether it is a replica."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        try:
            return await replica.is_replica(connect)
        except hopeless as error:
            raise MigrationError(f"the database refuses to be signed in to: {_reason(error)}") from error
        except (*_ERRORS, ValueError) as error:
            left = deadline - loop.time()
            if left <= 0:
                raise MigrationError(f"no database within {seconds:g} s: {_reason(error)}") from error
            log.write("info", "waiting_for_database", reason=_reason(error), seconds_left=round(left))
            await asyncio.sleep(min(_PAUSE_SECONDS, left))


def _reason(error: BaseException) -> str:
    """PostgreSQL's words name objects of the schema, never a value: migrations handle none of callers."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
