"""The connections to the database, PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from gateway.aws.credentials import CredentialSource
from gateway.aws.database_token import database_token
from gateway.database.errors import DatabaseError
from gateway.database.pool import Pool
from gateway.database.replica import check_writable, is_replica
from gateway.database.schema import check_schema
from gateway.database.tls import tls_context
from gateway.reachability import State, UnreachableError
from gateway.settings import Settings

_CONNECT_SECONDS = 2
# Of one statement, unless its own `timeout` says otherwise: one that hangs after a failover must not hang on.
_STATEMENT_SECONDS = 5
# At a primary the smallest of changes: how far a replica is behind is the age of the last change that it has,
# which would grow while nobody calls.
PING = "SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_xact_id() END"
_SERVER_SETTINGS = {
    "application_name": "gatehouse",
    # Longer than any statement is waited for: what nobody waits for ends on the server too.
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
    # The tables' schema, and never one that another user may have created objects in.
    "search_path": "public",
    # Days, weeks and months are UTC, whatever the server is set to.
    "timezone": "UTC",
}


class Database:
    """Connections that are opened when needed and dropped when something is wrong with them.

    It starts without the database, and recovers by itself. credentials: needed to sign in as an IAM role.
    """

    def __init__(self, settings: Settings, credentials: CredentialSource | None = None) -> None:
        self._settings = settings
        self._credentials = credentials
        self._tls = tls_context() if settings.database_tls else None
        self._pool = Pool(self._connect)
        self._schema_suffices = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Take a connection to oneself, for statements or `connection.transaction()`.

        Everything that the database or the way to it raises inside becomes a DatabaseError, unless it is
        caught there. Raises DatabaseUnavailableError too while the schema is older than this code.
        """
        async with self._pool.connection() as connection:
            if not self._schema_suffices:
                await check_schema(connection)
                # Later steps only add to it: never asked again.
                self._schema_suffices = True
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[asyncpg.Connection]:
        """As `connection`, for what writes on and on: raises ReadOnlyError before a replica has to refuse it.

        Each statement that a server refuses is a line in its log.
        """
        async with self.connection() as connection:
            await check_writable(connection)
            yield connection

    async def ping(self) -> State:
        """Whether the database takes changes or, as a replica, reads only; UnreachableError if it is away."""
        try:
            async with self._pool.connection() as connection:
                await connection.execute(PING)
                return "read_only" if is_replica(connection) else "reachable"
        except DatabaseError as error:
            raise UnreachableError(str(error)) from error

    async def close(self) -> None:
        """Drop all connections."""
        self._pool.close()

    async def _connect(self) -> asyncpg.Connection:
        settings = self._settings
        return await asyncpg.connect(
            host=settings.database_host,
            port=settings.database_port,
            database=settings.database_name,
            user=settings.database_username,
            password=self._password(),
            # None would mean: TLS if the server offers it, and without looking at its certificate.
            ssl=self._tls or False,
            timeout=_CONNECT_SECONDS,
            command_timeout=_STATEMENT_SECONDS,
            server_settings=_SERVER_SETTINGS,
        )

    def _password(self) -> str | None:
        """Raises CredentialsError."""
        settings = self._settings
        if settings.database_authentication == "iam" and self._credentials is not None:
            return database_token(
                self._credentials.current(),
                region=settings.region,
                host=settings.database_host,
                port=settings.database_port,
                username=settings.database_username,
            )
        password = settings.database_password
        return password.get_secret_value() if password is not None else None
