"""`python -m gateway.migrations`: take the database's schema to this release's and prepare its serving user.

Prints a line of JSON for each step. Exit status: 0 if the schema is this release's or newer, 1 if it could
not be migrated (nothing was changed then), 2 if the settings are wrong.
"""

import asyncio
import os
import sys
from collections.abc import Mapping

from gateway.aws.credentials import CredentialsError
from gateway.migrations.command import migrate
from gateway.migrations.connecting import owners_credentials
from gateway.migrations.errors import MigrationError
from gateway.migrations.settings import (
    MigrationSettings,
    MigrationSettingsError,
    load_migration_settings,
)
from gateway.structured_log import Stream, StructuredLog


def main(environ: Mapping[str, str], output: Stream) -> int:
    """Load the settings and migrate; returns the exit status."""
    try:
        settings = load_migration_settings(environ)
    except MigrationSettingsError as error:
        print(f"The database cannot be migrated; mend the environment:\n{error}", file=sys.stderr)
        return 2
    log = StructuredLog(output, "info")
    try:
        asyncio.run(_migrate(settings, environ, log))
    except (MigrationError, CredentialsError) as error:
        log.write("error", "migration_failed", reason=str(error))
        return 1
    return 0


async def _migrate(settings: MigrationSettings, environ: Mapping[str, str], log: StructuredLog) -> None:
    async with owners_credentials(settings, environ) as credentials:
        await migrate(settings, log, credentials)


if __name__ == "__main__":
    # Not buffered: progress is shown as it is made.
    with open(sys.stdout.fileno(), "wb", buffering=0, closefd=False) as stdout:
        StructuredLog(stdout, "info").take_standard_logging()
        sys.exit(main(os.environ, stdout))
