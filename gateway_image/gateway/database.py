"""The connection to the database, PostgreSQL."""

import ssl
from pathlib import Path

import asyncpg

from gateway.reachability import UnreachableError
from gateway.settings import Settings

_CERTIFICATE_AUTHORITIES = Path(__file__).parent / "certificates" / "rds.pem"
_CONNECT_SECONDS = 2
_STATEMENT_SECONDS = 2


class Database:
    """A connection that is opened when first used and again when it was lost."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Only RDS's own authorities are trusted, and the host's name is checked: PostgreSQL's verify-full.
        self._tls = (
            ssl.create_default_context(cafile=_CERTIFICATE_AUTHORITIES) if settings.database_tls else None
        )
        self._connection: asyncpg.Connection | None = None

    async def ping(self) -> None:
        """Raise UnreachableError unless the database answers a query."""
        try:
            connection, self._connection = self._connection or await self._connect(), None
            try:
                await connection.execute("SELECT 1")
                self._connection = connection
            finally:
                # Kept only if it answered: one that hangs after a failover would hang for ever.
                if self._connection is None:
                    connection.terminate()
        except (
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
            OSError,
            ValueError,  # a host name that cannot be one
        ) as error:
            raise UnreachableError(type(error).__name__) from error

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.terminate()

    async def _connect(self) -> asyncpg.Connection:
        settings = self._settings
        return await asyncpg.connect(
            host=settings.database_host,
            port=settings.database_port,
            database=settings.database_name,
            user=settings.database_username.get_secret_value(),
            password=settings.database_password.get_secret_value(),
            # None would mean: TLS if the server offers it, and without looking at its certificate.
            ssl=self._tls or False,
            timeout=_CONNECT_SECONDS,
            command_timeout=_STATEMENT_SECONDS,
        )
