"""`python -m gateway.salvage --since TIME [--until TIME]`: print the ledger's rows, to bring them elsewhere.

For a database whose region was lost and is back: its last rows may never have reached the replica that took
its place. Every row of the span of time goes to standard output as a line that `gatehouse usage import` and
`gateway.ledger.import_log` take; they know the rows that did get across. Nothing is written to the database.
Times are ISO 8601 with an offset. The environment is that of `python -m gateway.migrations`.

Exit status: 0 if all rows were printed, 1 if some could not be read or printed, 2 if the settings are wrong.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import asyncpg

from gateway.aws.credentials import CredentialsError
from gateway.ledger.export import export_rows
from gateway.migrations.connecting import connector, owners_credentials
from gateway.migrations.settings import MigrationSettings, MigrationSettingsError, load_migration_settings
from gateway.structured_log import Stream, StructuredLog

_EXAMPLE = "2026-11-21T09:00Z"


def main(arguments: Sequence[str], environ: Mapping[str, str], output: Stream) -> int:
    """Print the rows; returns the exit status."""
    span = _span(arguments)
    try:
        settings = load_migration_settings(environ)
    except MigrationSettingsError as error:
        print(f"The ledger cannot be read; mend the environment:\n{error}", file=sys.stderr)
        return 2
    log = StructuredLog(output, "info")
    try:
        rows = asyncio.run(_salvage(settings, environ, span, output))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, CredentialsError, OSError) as error:
        log.write("error", "salvage_failed", reason=f"{type(error).__name__}: {error}")
        return 1
    log.write("info", "salvage_finished", rows=rows)
    return 0


async def _salvage(
    settings: MigrationSettings, environ: Mapping[str, str], span: argparse.Namespace, output: Stream
) -> int:
    async with owners_credentials(settings, environ) as credentials:
        connection = await connector(settings, credentials)()
        try:
            return await export_rows(connection, output, since=span.since, until=span.until)
        finally:
            connection.terminate()


def _span(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gateway.salvage", description="Print the ledger's rows.")
    since = f"of requests that were admitted from then on, such as {_EXAMPLE}"
    parser.add_argument("--since", type=_moment, required=True, help=since)
    parser.add_argument("--until", type=_moment, default=datetime.now(UTC), help="and before then [now]")
    return parser.parse_args(arguments)


def _moment(text: str) -> datetime:
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment
    raise argparse.ArgumentTypeError(f"{text!r} is no time in ISO 8601 with an offset, such as {_EXAMPLE}")


if __name__ == "__main__":
    with open(sys.stdout.fileno(), "wb", closefd=False) as stdout:
        status = main(sys.argv[1:], os.environ, stdout)
    sys.exit(status)
