"""How the schema's owner signs in to the database."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg

from gateway.aws.credentials import CredentialSource, load_credentials
from gateway.aws.database_token import database_token
from gateway.database.tls import tls_context
from gateway.http_client import HttpClient
from gateway.migrations.settings import MigrationSettings
from gateway.migrations.upgrade import Connect

_CONNECT_SECONDS = 5
# Steps wait for locks that requests hold, and may have to go through a large table.
_STATEMENT_SECONDS = 900


@asynccontextmanager
async def owners_credentials(
    settings: MigrationSettings, environ: Mapping[str, str]
) -> AsyncIterator[CredentialSource | None]:
    """What the owner signs in with as an IAM role, None with a password; raises CredentialsError."""
    if settings.authentication == "password":
        yield None
        return
    http = HttpClient()
    try:
        yield await load_credentials(environ, http)
    finally:
        await http.close()


def connector(settings: MigrationSettings, credentials: CredentialSource | None = None) -> Connect:
    """Connects the schema's owner. credentials: needed to sign in as an IAM role."""
    tls = tls_context() if settings.tls else None

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(
            host=settings.host,
            port=settings.port,
            database=settings.name,
            user=settings.username,
            password=_password(settings, credentials),
            # None would mean: TLS if the server offers it, and without looking at its certificate.
            ssl=tls or False,
            timeout=_CONNECT_SECONDS,
            command_timeout=_STATEMENT_SECONDS,
            server_settings={
                "application_name": "gatehouse-migrations",
                "search_path": "public",
                # A step whose task was stopped ends, too: it would hold its locks to its own end.
                "client_connection_check_interval": "2s",
            },
        )

    return connect


def _password(settings: MigrationSettings, credentials: CredentialSource | None) -> str | None:
    """A token of this connection's own with IAM; raises CredentialsError."""
    if settings.authentication == "iam" and settings.region is not None and credentials is not None:
        return database_token(
            credentials.current(),
            region=settings.region,
            host=settings.host,
            port=settings.port,
            username=settings.username,
        )
    return settings.password.get_secret_value() if settings.password is not None else None
